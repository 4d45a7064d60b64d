"""An uploaded checkpoint is unpacked once, whole or not at all, and only if its digest is right."""

import hashlib
import threading
from functools import partial
from pathlib import Path

import pytest

from shared.encoders.archive.errors import ArchiveMalformed
from shared.encoders.archive.unpacking import unpack_archive
from shared.infra.checkpoint_cache import (
    adopt_checkpoint_folder,
    fetch_checkpoint_folder,
    get_checkpoint_folder,
)
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_errors import BlobMissing
from shared.infra.storage_keys import build_file_key
from tests.encoders.archives import zip_members

ARCHIVE = zip_members([("config.json", b"{}"), ("model.safetensors", bytes(range(256)) * 40)])
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()
UNPACK = partial(unpack_archive, max_bytes=1_000_000)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, cache_dir=tmp_path / "cache")


@pytest.fixture
def storage(settings: Settings) -> Storage:
    storage = Storage(settings.resolved_storage_url)
    storage.put_bytes(build_file_key(SHA256), ARCHIVE)
    return storage


def list_cached(settings: Settings) -> list[str]:
    return [path.name for path in (settings.resolved_cache_dir / "models").iterdir()]


def test_the_first_use_unpacks_and_the_second_reads_nothing(
    settings: Settings, storage: Storage
) -> None:
    folder = fetch_checkpoint_folder(settings, storage, SHA256, UNPACK)
    assert {file.name for file in folder.iterdir()} == {"config.json", "model.safetensors"}
    storage.delete(build_file_key(SHA256))
    assert fetch_checkpoint_folder(settings, storage, SHA256, UNPACK) == folder
    assert list_cached(settings) == [folder.name]


@pytest.mark.parametrize("content", [ARCHIVE[:-1], ARCHIVE + b"x", b""])
def test_changed_content_is_never_unpacked(
    settings: Settings, storage: Storage, content: bytes
) -> None:
    storage.put_bytes(build_file_key(SHA256), content)
    with pytest.raises(BlobMissing):
        fetch_checkpoint_folder(settings, storage, SHA256, UNPACK)
    assert list_cached(settings) == []


def test_a_failure_in_the_middle_leaves_nothing(settings: Settings, storage: Storage) -> None:
    def unpack_half(archive: Path, folder: Path) -> None:
        UNPACK(archive, folder)
        raise ArchiveMalformed("It broke.")

    with pytest.raises(ArchiveMalformed):
        fetch_checkpoint_folder(settings, storage, SHA256, unpack_half)
    assert list_cached(settings) == []


def test_two_at_once_end_with_one_whole_folder(settings: Settings, storage: Storage) -> None:
    both = threading.Barrier(2)

    def unpack_together(archive: Path, folder: Path) -> None:
        UNPACK(archive, folder)
        both.wait(20)

    found: list[Path] = []

    def fetch() -> None:
        found.append(fetch_checkpoint_folder(settings, storage, SHA256, unpack_together))

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert list_cached(settings) == [found[0].name]
    assert (found[0] / "config.json").read_bytes() == b"{}"


def test_an_unpacked_upload_becomes_the_copy_unless_there_is_one(
    settings: Settings, storage: Storage, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(name)
        adopt_checkpoint_folder(settings, SHA256, tmp_path / name)
    folder = get_checkpoint_folder(settings, SHA256)
    assert (folder / "config.json").read_text() == "first"
    assert fetch_checkpoint_folder(settings, storage, SHA256, UNPACK) == folder
