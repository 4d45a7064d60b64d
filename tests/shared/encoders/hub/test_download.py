"""Downloads from the hub: verified, resumed, whole or not at all, and one per disk."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.domain.errors import HubNotAllowed, HubNotReachable, ModelNotAllowed, ModelNotFound
from shared.domain.hub_model import HubModel
from shared.encoders.hub import session
from shared.encoders.hub.cache import HubCache
from shared.encoders.hub.download import fetch_model
from shared.encoders.hub.resolution import HubModels
from shared.infra.settings import Settings
from tests.hub import PlayedHub
from tests.hub_models import Fault, ModelRepository
from tests.servers import wait_until
from tests.shared.encoders.hub.conftest import MODEL

WEIGHTS = "model.safetensors"


class Interrupted(Exception):
    """Raised by a test where a worker would be told to stop."""


def fetch(settings: Settings, model: HubModel) -> Path:
    return fetch_model(settings, model, lambda _bytes: None)


@pytest.fixture
def model(settings: Settings, repository: ModelRepository) -> HubModel:
    return HubModels(settings).resolve(MODEL, None)


def assert_nothing_looks_whole(settings: Settings) -> None:
    assert HubCache(settings.resolved_hub_cache).list_models() == []


def test_the_folder_has_the_needed_files_and_no_others(
    settings: Settings, hub: PlayedHub, model_dir: Path
) -> None:
    repository = hub.models.add(MODEL, model_dir / "tiny-bert")
    foreign = dict.fromkeys(("pytorch_model.bin", "tf_model.h5", "modeling.py"), b"foreign")
    repository.files = {**repository.files, **foreign, "README.md": b"# A model"}
    folder = fetch(settings, HubModels(settings).resolve(MODEL, None))
    expected = {path: content for path, content in repository.files.items() if path not in foreign}
    downloaded = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert downloaded == {path: expected[path] for path in downloaded}
    assert {"config.json", WEIGHTS, "tokenizer.json", "README.md"} <= downloaded.keys()
    assert not any("/store/" in path and WEIGHTS not in path for path in hub.asked)


def test_a_second_call_asks_the_hub_for_nothing(
    settings: Settings, hub: PlayedHub, model: HubModel
) -> None:
    folder = fetch(settings, model)
    hub.asked.clear()
    assert fetch(settings, model) == folder
    assert hub.asked == []


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.SHORT, Fault.BROKEN, Fault.EXPIRED])
def test_a_download_continues_after_a_fault(
    settings: Settings, hub: PlayedHub, repository: ModelRepository, model: HubModel, fault: Fault
) -> None:
    hub.models.faults[WEIGHTS] = [fault] * 3
    folder = fetch(settings, model)
    assert (folder / WEIGHTS).read_bytes() == repository.files[WEIGHTS]
    assert bool(hub.models.ranges) == (fault in (Fault.CUT, Fault.SHORT))


def test_a_hub_without_ranges_sends_the_file_again(
    settings: Settings, hub: PlayedHub, repository: ModelRepository, model: HubModel
) -> None:
    hub.models.faults[WEIGHTS] = [Fault.CUT, Fault.NO_RANGE]
    folder = fetch(settings, model)
    assert (folder / WEIGHTS).read_bytes() == repository.files[WEIGHTS]


@pytest.mark.parametrize("file", [WEIGHTS, "tokenizer.json"])
def test_an_altered_file_is_not_kept(
    settings: Settings, hub: PlayedHub, model: HubModel, file: str
) -> None:
    hub.models.faults[file] = [Fault.ALTERED]
    with pytest.raises(HubNotReachable, match=f"{file} differs from the listed file"):
        fetch(settings, model)
    assert_nothing_looks_whole(settings)
    assert fetch(settings, model).is_dir()  # the next attempt begins the file again


@pytest.mark.parametrize("fault", [Fault.LONG, Fault.BROKEN])
def test_a_lasting_fault_ends_the_attempt(
    settings: Settings, hub: PlayedHub, model: HubModel, fault: Fault
) -> None:
    hub.models.faults[WEIGHTS] = [fault] * 50
    with pytest.raises(HubNotReachable):
        fetch(settings, model)
    assert_nothing_looks_whole(settings)


def test_a_busy_hub_says_when_to_come_back(
    settings: Settings, hub: PlayedHub, model: HubModel
) -> None:
    hub.models.faults[WEIGHTS] = [Fault.BUSY]
    with pytest.raises(HubNotReachable) as raised:
        fetch(settings, model)
    assert raised.value.retry_after_s == 7
    assert fetch(settings, model).is_dir()


def test_an_interrupted_download_is_resumed(
    settings: Settings, hub: PlayedHub, model: HubModel, repository: ModelRepository
) -> None:
    small = sum(file.bytes for file in model.files if file.path != WEIGHTS)
    hub.models.drip_s = 0.01

    def interrupt(received: int) -> None:
        if received > small + 10_000:
            raise Interrupted

    with pytest.raises(Interrupted):
        fetch_model(settings, model, interrupt)
    assert_nothing_looks_whole(settings)
    hub.models.drip_s = 0
    hub.asked.clear()
    folder = fetch(settings, model)
    assert (folder / WEIGHTS).read_bytes() == repository.files[WEIGHTS]
    (asked,) = set(hub.models.ranges)
    assert int(asked.removeprefix("bytes=").rstrip("-")) >= 10_000
    assert len(hub.asked) == 2  # the weights and their store; small files were there


def test_a_damaged_partial_file_is_found(
    settings: Settings, model: HubModel, repository: ModelRepository
) -> None:
    partial = HubCache(settings.resolved_hub_cache).get_partial_folder(model)
    partial.mkdir(parents=True)
    (partial / f"{WEIGHTS}.part").write_bytes(b"of another file")
    with pytest.raises(HubNotReachable, match="differs"):
        fetch(settings, model)
    assert (fetch(settings, model) / WEIGHTS).read_bytes() == repository.files[WEIGHTS]


def test_many_at_a_time_make_one_download(
    settings: Settings, hub: PlayedHub, model: HubModel
) -> None:
    hub.models.drip_s = 0.002
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: fetch(settings, model), range(8)))
    assert len(folders) == 1
    assert hub.models.stored == [WEIGHTS]


def test_who_waits_for_another_download_can_be_stopped(
    settings: Settings, hub: PlayedHub, model: HubModel
) -> None:
    hub.gate.clear()
    hub.asked.clear()
    first = threading.Thread(target=fetch, args=(settings, model))
    first.start()

    def stop(_received: int) -> None:
        raise Interrupted

    wait_until(lambda: bool(hub.asked), description="the first download's request")
    with pytest.raises(Interrupted):
        fetch_model(settings, model, stop)
    hub.gate.set()
    first.join()
    assert fetch(settings, model).is_dir()


def test_a_hub_that_drips_is_given_up(
    settings: Settings, hub: PlayedHub, model: HubModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A window of no length is over at any chunk, however late a busy machine reads it.
    monkeypatch.setattr(session, "SLOW_WINDOW_S", 0.0)
    monkeypatch.setattr(session, "MIN_BYTES_PER_WINDOW", 10**12)
    hub.models.drip_s = 0.02
    with pytest.raises(HubNotReachable, match="too slowly"):
        fetch(settings, model)


def test_a_model_that_cannot_be_trained_is_not_kept(
    settings: Settings, hub: PlayedHub, repository: ModelRepository
) -> None:
    repository.files = {**repository.files, WEIGHTS: repository.files[WEIGHTS][:-100]}
    with pytest.raises(ModelNotAllowed, match="cut short"):
        fetch(settings, HubModels(settings).resolve(MODEL, None))
    assert not any((settings.resolved_hub_cache / "partial").iterdir())
    assert_nothing_looks_whole(settings)


def test_a_full_disk_is_noticed_before_the_download(
    settings: Settings, hub: PlayedHub, model: HubModel
) -> None:
    huge = model.model_copy(update={"files": [model.files[0].model_copy(update={"bytes": 2**60})]})
    hub.asked.clear()
    with pytest.raises(ModelNotAllowed, match="free disk space"):
        fetch(settings, huge)
    assert hub.asked == []


def test_offline_uses_the_cache_alone(settings: Settings, hub: PlayedHub, model: HubModel) -> None:
    offline = settings.model_copy(update={"hub_offline": True})
    with pytest.raises(ModelNotFound, match="not in the cache"):
        HubModels(offline).resolve(MODEL, None)
    with pytest.raises(HubNotReachable, match="not in the cache"):
        fetch(offline, model)
    folder = fetch(settings, model)
    hub.asked.clear()
    for revision in (None, "main", model.commit):
        assert fetch(offline, HubModels(offline).resolve(MODEL, revision)) == folder
    assert hub.asked == []


def test_a_worker_that_may_not_download_says_so(settings: Settings, model: HubModel) -> None:
    off = settings.model_copy(update={"hub_models": "off"})
    with pytest.raises(HubNotAllowed, match="EVENKEEL_HUB_MODELS"):
        fetch(off, model)
    folder = fetch(settings, model)
    assert fetch(off, model) == folder


def test_the_store_never_sees_the_token(
    settings: Settings, hub: PlayedHub, model_dir: Path
) -> None:
    hub.models.add(MODEL, model_dir / "tiny-bert", token="secret")
    hub.models.store_url = hub.url.replace("127.0.0.1", "localhost")
    with_token = Settings.model_validate(
        settings.model_dump() | {"hub_token": "secret", "hub_hosts": "localhost"}
    )
    assert fetch(with_token, HubModels(with_token).resolve(MODEL, None)).is_dir()
    assert set(hub.models.store_authorizations) == {None}
    assert "Bearer secret" in hub.authorizations


def test_another_host_is_not_asked(settings: Settings, hub: PlayedHub, model: HubModel) -> None:
    hub.models.store_url = hub.url.replace("127.0.0.1", "localhost")
    with pytest.raises(HubNotAllowed, match="EVENKEEL_HUB_HOSTS"):
        fetch(settings, model)
    assert hub.models.stored == []


def test_the_digest_of_the_row_decides(settings: Settings, model: HubModel) -> None:
    """The job's row pins the weights, whatever the hub serves under the commit."""
    other = hashlib.sha256(b"other weights").hexdigest()
    pinned = [
        file.model_copy(update={"sha256": other}) if file.path == WEIGHTS else file
        for file in model.files
    ]
    with pytest.raises(HubNotReachable, match="differs"):
        fetch(settings, model.model_copy(update={"files": pinned}))
