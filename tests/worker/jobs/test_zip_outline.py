"""The zip file of a stored folder: what zipfile writes of it, and equal bytes each time."""

import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest

from shared.db.file_content import stream_zip
from shared.domain.zip_outline import ZipOutline
from shared.infra.storage import Storage
from shared.infra.storage_errors import BlobMissing
from worker.jobs.zip_outline import build_zip_outline, hash_zip

PREFIX = "models/ftjob-1-1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "below").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "empty").touch()
    (folder / "below" / "wörter.txt").write_text("a\nb\n", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(os.urandom(3_000_001))
    return folder


@pytest.fixture
def storage(tmp_path: Path, folder: Path) -> Storage:
    storage = Storage(f"file://{tmp_path}/storage")
    storage.link_or_put_folder(PREFIX, folder)
    return storage


def write_zip(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=True) as target:
                target.write(path.read_bytes())
    return content.getvalue()


def test_the_stream_is_the_file_that_zipfile_writes(folder: Path, storage: Storage) -> None:
    outline = build_zip_outline(folder)
    stored = ZipOutline.model_validate_json(outline.model_dump_json())
    content = b"".join(stream_zip(storage, PREFIX, stored))
    assert content == write_zip(folder)
    assert content == b"".join(stream_zip(storage, PREFIX, build_zip_outline(folder)))
    assert len(content) == outline.count_bytes()
    assert hashlib.sha256(content).hexdigest() == hash_zip(outline, folder)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.read("model.safetensors") == (folder / "model.safetensors").read_bytes()


def test_an_outline_is_small(folder: Path) -> None:
    assert len(build_zip_outline(folder).model_dump_json()) < 2000


@pytest.mark.parametrize("damage", ["delete", "cut"])
def test_a_damaged_folder_is_noticed_before_the_first_byte(
    damage: str, folder: Path, storage: Storage
) -> None:
    outline = build_zip_outline(folder)
    key = f"{PREFIX}/model.safetensors"
    storage.delete(key)
    if damage == "cut":
        storage.put_bytes(key, b"short")
    with pytest.raises(BlobMissing):
        stream_zip(storage, PREFIX, outline)
