"""Folders moved into the storage: linked on the same disk, copied from another one."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

from shared.infra.storage import Storage


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
