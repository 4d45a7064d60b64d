"""Unpacking of a model's archive, safe or not."""

import stat
import zipfile
from pathlib import Path

import pytest

from cli.errors import CliError
from cli.unpacking import unpack_archive


def archive(folder: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    path = folder / "model.zip"
    with zipfile.ZipFile(path, "w") as members:
        for name, content in entries:
            members.writestr(name, content)
    return path


def test_files_and_folders_are_unpacked(tmp_path: Path) -> None:
    unpack_archive(
        archive(tmp_path, ("config.json", b"{}"), ("deep/", b""), ("deep/a.bin", b"\0\1")),
        tmp_path / "model",
    )
    assert (tmp_path / "model" / "config.json").read_bytes() == b"{}"
    assert (tmp_path / "model" / "deep" / "a.bin").read_bytes() == b"\0\1"


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..\\evil"])
def test_an_entry_outside_the_folder_rejects_the_whole_archive(tmp_path: Path, name: str) -> None:
    with pytest.raises(CliError, match="has an unsafe entry"):
        unpack_archive(archive(tmp_path, ("config.json", b"{}"), (name, b"")), tmp_path / "model")
    assert {file.name for file in tmp_path.rglob("*")} == {"model.zip"}


def test_a_link_is_rejected(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(CliError, match="has an unsafe entry"):
        unpack_archive(archive(tmp_path, (link, b"/etc/passwd")), tmp_path / "model")


def test_a_damaged_archive_is_reported(tmp_path: Path) -> None:
    path = archive(tmp_path, ("config.json", b"{}" * 1000))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(CliError, match="damaged"):
        unpack_archive(path, tmp_path / "model")
