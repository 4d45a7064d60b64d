"""The digest of a base model depends on what training reads, and on nothing else."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from shared.encoders.model_digest import compute_model_digest
from tests.encoders import build_bert_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return build_bert_folder(tmp_path / "base")


def test_it_is_that_of_the_content_wherever_the_folder_is(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "elsewhere" / "copy"))
    (copy / "README.md").write_text("of no account")
    (copy / "onnx").mkdir()
    assert compute_model_digest(copy) == compute_model_digest(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_changed_file_changes_it_even_with_the_old_size_and_time(folder: Path, name: str) -> None:
    before, path = compute_model_digest(folder), folder / name
    content, found = bytearray(path.read_bytes()), path.stat()
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert compute_model_digest(folder) != before


def test_a_lost_or_added_settings_file_changes_it(folder: Path) -> None:
    before = compute_model_digest(folder)
    (folder / "special_tokens_map.json").write_text("{}")
    assert compute_model_digest(folder) != before
    (folder / "special_tokens_map.json").unlink()
    assert compute_model_digest(folder) == before


def test_an_unchanged_file_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    digest = hashlib.file_digest

    def record_digest(stream: Any, name: str) -> Any:
        read.append(stream.name)
        return digest(stream, name)

    monkeypatch.setattr(hashlib, "file_digest", record_digest)
    for _ in range(3):
        compute_model_digest(folder)
    assert len(read) == len(set(read)) > 0
    (folder / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"model\.safetensors"):
        compute_model_digest(folder)
