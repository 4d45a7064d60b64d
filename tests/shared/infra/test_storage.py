"""What the storage does with files, and how it tells of an outage and of a full disk."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import obstore
import pytest
from obstore.exceptions import GenericError

from shared.infra import storage_probe
from shared.infra.storage import Storage
from shared.infra.storage_errors import StorageFull, StorageUnavailable
from shared.infra.storage_probe import StorageProbe


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    (run / "model").mkdir(parents=True)
    (run / "model" / "model.safetensors").write_bytes(b"weights")
    (run / "model" / "model.safetensors").chmod(0o600)
    (run / "predictions.json").write_text("{}")
    return run


def read_stored_files(storage: Storage) -> dict[str, bytes]:
    return {blob.key: b"".join(storage.stream(blob.key)) for blob in storage.list("runs")}


WHOLE = {"runs/r/1/model/model.safetensors": b"weights", "runs/r/1/predictions.json": b"{}"}


def test_on_the_same_disk_nothing_is_copied(tmp_path: Path, folder: Path) -> None:
    root = tmp_path / "a storage"
    storage = Storage(root.as_uri())
    for _ in range(2):  # a second try after one that was cut short
        storage.link_or_put_folder("runs/r/1", folder)
        assert read_stored_files(storage) == WHOLE
    kept = root / "runs" / "r" / "1" / "model" / "model.safetensors"
    assert kept.samefile(folder / "model" / "model.safetensors")
    assert [path.name for path in kept.parent.iterdir()] == ["model.safetensors"]
    (folder / "model" / "model.safetensors").unlink()
    assert read_stored_files(storage) == WHOLE
    assert kept.stat().st_mode & 0o777 == root.joinpath("runs").stat().st_mode & 0o666
    storage.delete_prefix("runs/r")
    assert read_stored_files(storage) == {}


def test_elsewhere_it_is(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_across_devices(*_: object, **__: object) -> NoReturn:
        raise OSError(18, os.strerror(18))

    monkeypatch.setattr(os, "link", fail_across_devices)
    root = tmp_path / "storage"
    storage = Storage(root.as_uri())
    storage.link_or_put_folder("runs/r/1", folder)
    assert read_stored_files(storage) == WHOLE
    assert not (root / "runs/r/1/predictions.json").samefile(folder / "predictions.json")


def test_a_folder_that_is_gone_or_empty_is_not_stored_as_nothing(tmp_path: Path) -> None:
    storage = Storage((tmp_path / "storage").as_uri())
    (tmp_path / "empty").mkdir()
    for name in ("gone", "empty"):
        with pytest.raises(FileNotFoundError, match="nothing to store"):
            storage.link_or_put_folder("runs/r/1", tmp_path / name)


def test_a_prefix_is_deleted_with_the_blob_of_the_same_key_and_without_what_is_kept(
    tmp_path: Path,
) -> None:
    storage = Storage((tmp_path / "storage").as_uri())
    for key in ("predictions/r.json", "runs/r/1/a", "runs/r/2/a", "runs/rr/1/a"):
        storage.put_bytes(key, b"x")
    storage.delete_prefix("predictions/r.json")
    storage.delete_prefix("runs/r", kept_prefixes={"runs/r/2"})
    storage.delete_prefix("runs/none")
    assert [blob.key for root in ("predictions", "runs") for blob in storage.list(root)] == [
        "runs/r/2/a",
        "runs/rr/1/a",
    ]


USES: dict[str, Callable[[Storage, Path], object]] = {
    "put": lambda storage, path: storage.put_file("files/a", path),
    "put bytes": lambda storage, _: storage.put_bytes("files/a", b"x"),
    "link": lambda storage, path: storage.link_or_put_file("files/a", path),
    "read": lambda storage, _: storage.stream("files/a"),
    "fetch": lambda storage, path: storage.fetch("files/a", path.with_name("copy")),
    "exists": lambda storage, _: storage.exists("files/a"),
    "list": lambda storage, _: list(storage.list("files")),
    "delete": lambda storage, _: storage.delete("files/a"),
    "delete all": lambda storage, _: storage.delete_prefix("files"),
}


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("is_mount_point_left", [False, True])
def test_a_folder_that_went_away_is_told_from_an_empty_one(
    name: str, is_mount_point_left: bool, tmp_path: Path
) -> None:
    root, source = tmp_path / "storage", tmp_path / "source"
    source.write_bytes(b"x")
    storage = Storage(root.as_uri())
    storage.put_bytes("files/a", b"x")
    root.rename(tmp_path / "away")
    if is_mount_point_left:
        root.mkdir()
    with pytest.raises(StorageUnavailable, match="folder of the storage, storage, is not there"):
        USES[name](storage, source)
    assert not root.exists() or not any(root.iterdir())
    if is_mount_point_left:
        root.rmdir()
    (tmp_path / "away").rename(root)
    USES[name](storage, source)


@pytest.mark.parametrize("name", ["put", "read", "exists", "list", "delete"])
def test_an_object_store_that_refuses_connections_is_unavailable(name: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    storage = Storage("http://127.0.0.1:9/")  # nothing listens on the discard port
    with pytest.raises(StorageUnavailable, match="does not respond"):
        USES[name](storage, source)


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError(122, "Disk quota exceeded"),
        GenericError("Unable to write: No space left on device (os error 28)"),
    ],
    ids=str,
)
def test_a_full_disk_is_told_apart(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage((tmp_path / "storage").as_uri())

    def refuse(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(obstore, "put", refuse)
    with pytest.raises(StorageFull):
        storage.put_bytes("files/a", b"x")


def test_a_probe_tells_of_an_outage_and_of_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_probe, "PROBE_INTERVAL_S", 0.0)
    root = tmp_path / "storage"
    probe = StorageProbe(Storage(root.as_uri()))
    probe.check()
    root.rename(tmp_path / "away")
    with pytest.raises(StorageUnavailable):
        probe.check()
    (tmp_path / "away").rename(root)
    probe.check()
    monkeypatch.setattr(storage_probe, "MIN_FREE_BYTES", 1 << 62)
    with pytest.raises(StorageFull):
        probe.check()
    probe.close()


def test_a_storage_that_hangs_does_not_hold_up_the_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    storage = Storage((tmp_path / "storage").as_uri())
    monkeypatch.setattr(storage_probe, "PROBE_TIMEOUT_S", 0.05)
    monkeypatch.setattr(storage, "exists", lambda _: released.wait(60))
    probe = StorageProbe(storage)
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            probe.check()
    released.set()
    monkeypatch.setattr(storage_probe, "PROBE_TIMEOUT_S", 60)
    probe.check()
    probe.close()


@pytest.mark.parametrize("fetch", [Storage.fetch_folder, Storage.link_or_fetch_folder])
def test_a_local_copy_that_is_deleted_while_it_is_made_is_no_copy(
    fetch: Callable[[Storage, str, Path], None],
    tmp_path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The folder is made again for the next file; what came before it is missing."""
    storage = Storage((tmp_path / "storage").as_uri())
    storage.link_or_put_folder("runs/r/1", folder)
    copy = tmp_path / "cache" / "copy"
    fetch_file = Storage.fetch

    def delete_and_fetch(self: Storage, key: str, path: Path) -> None:
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        fetch_file(self, key, path)

    monkeypatch.setattr(Storage, "fetch", delete_and_fetch)
    monkeypatch.setattr("shared.infra.storage.try_plain_link", lambda *_: False)
    with pytest.raises(FileNotFoundError, match="the local copy was deleted"):
        fetch(storage, "runs/r/1", copy)


def test_a_folder_that_is_deleted_while_it_is_stored_is_not_stored_in_part(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage((tmp_path / "storage").as_uri())
    put = Storage.link_or_put_file

    def put_and_delete(self: Storage, key: str, path: Path) -> None:
        put(self, key, path)
        path.unlink()

    monkeypatch.setattr(Storage, "link_or_put_file", put_and_delete)
    with pytest.raises(FileNotFoundError, match="the local copy was deleted"):
        storage.link_or_put_folder("runs/r/1", folder)
