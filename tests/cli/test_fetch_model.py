"""``evenkeel models fetch``: a model of the hub in a folder, without a service."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.program import app, run_program
from shared.encoders.hub import download
from shared.encoders.hub.resolution import HubModels
from shared.encoders.validation import check_model_folder
from shared.infra.settings import Settings
from tests.hub import PlayedHub, played_hub
from tests.hub_models import Fault

MODEL = "acme/tiny-bert"


@pytest.fixture
def hub(model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedHub]:
    with played_hub() as played:
        played.models.add(MODEL, model_dir / "tiny-bert", revisions=("main", "v2"))
        monkeypatch.setenv("EVENKEEL_HUB_ENDPOINT", played.url)
        monkeypatch.setenv("EVENKEEL_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(download, "RETRY_DELAY_S", 0.01)
        yield played


def fetch(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", "fetch", *arguments])


def test_a_folder_is_filled_and_usable(hub: PlayedHub, tmp_path: Path) -> None:
    folder = tmp_path / "encoders" / "bert"
    done = fetch(MODEL, "--revision", "v2", "--to", str(folder))
    assert done.exit_code == 0, done.output
    commit = hub.models.repositories[MODEL].commit
    assert f"Downloading {MODEL} at {commit[:7]}" in done.output
    assert done.output.rstrip().endswith(str(folder))
    check_model_folder(folder)
    assert list(folder.parent.iterdir()) == [folder]  # nothing is left beside it


def test_without_a_folder_the_cache_is_filled(hub: PlayedHub, tmp_path: Path) -> None:
    assert fetch(MODEL).exit_code == 0
    settings = Settings(home=tmp_path / "home", hub_models="acme", hub_offline=True)
    hub.asked.clear()
    model = HubModels(settings).resolve(MODEL, None)
    assert model.commit == hub.models.repositories[MODEL].commit
    assert hub.asked == []


def test_an_interrupted_fetch_is_continued(hub: PlayedHub, tmp_path: Path) -> None:
    folder = tmp_path / "bert"
    hub.models.faults["model.safetensors"] = [Fault.CUT, *[Fault.BROKEN] * 4]
    failed = fetch(MODEL, "--to", str(folder))
    assert failed.exit_code != 0
    assert not folder.exists()
    assert fetch(MODEL, "--to", str(folder)).exit_code == 0
    assert hub.models.ranges


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a/b/c",), "no ID of a model"),
        (("acme/absent",), "no model acme/absent"),
        ((MODEL, "--revision", "absent"), "no such revision"),
        ((MODEL, "--to", "{full}"), "not empty"),
    ],
)
def test_failures_are_sentences(
    hub: PlayedHub,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    given = [argument.format(full=tmp_path / "full") for argument in arguments]
    assert run_program(["models", "fetch", *given]) == 2
    assert words in capsys.readouterr().err
