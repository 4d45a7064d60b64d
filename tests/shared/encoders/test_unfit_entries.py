"""Links that lead out of a model's folder, and entries that are no plain files, are refused."""

import os
import socket
from pathlib import Path

import pytest

from shared.encoders.validation import check_model_folder
from shared.encoders.validation.folder_entries import MAX_ENTRIES
from tests.encoders.small_folders import write_model
from tests.shared.encoders.unfit import assert_refused


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("target", ["outside", "nowhere", "itself", "device"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, file: str, target: str) -> None:
    folder, outside = write_model(tmp_path / "it"), tmp_path / "outside"
    link = folder / file
    outside.write_bytes(link.read_bytes())
    targets = {
        "outside": (outside, "a link that leads out"),
        "nowhere": (tmp_path / "nowhere", f"broken link {file}"),
        "itself": (link, f"broken link {file}"),
        "device": (Path("/dev/zero"), "a link that leads out"),
    }
    link.unlink()
    path, reason = targets[target]
    link.symlink_to(path)
    assert_refused(folder, reason)


def test_a_link_to_a_folder_outside_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "it")
    (folder / "1_Pooling").symlink_to(write_model(tmp_path / "other"))
    assert_refused(folder, "contains 1_Pooling, a link that leads out")


def test_links_below_the_given_root_are_followed(tmp_path: Path) -> None:
    """As in a cache of the hub, whose snapshots are links to blobs beside them."""
    folder, blobs = write_model(tmp_path / "snapshots" / "it"), tmp_path / "blobs"
    blobs.mkdir()
    for file in list(folder.iterdir()):
        file.rename(blobs / f"digest-of-{file.name}")
        file.symlink_to(blobs / f"digest-of-{file.name}")
    assert_refused(folder, "a link that leads out")
    assert check_model_folder(folder, root=tmp_path).num_parameters > 0


@pytest.mark.parametrize("file", ["model.safetensors", "vocab.txt", "notes"])
def test_a_pipe_or_a_socket_is_refused_and_never_read(tmp_path: Path, file: str) -> None:
    folder = write_model(tmp_path / "it")
    (folder / file).unlink(missing_ok=True)
    os.mkfifo(folder / file)
    assert_refused(folder, f"contains {file}, which is a pipe, socket or device")
    (folder / file).unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / file))
        assert_refused(folder, "pipe, socket or device")


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "it")
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()
    assert_refused(folder, "has no config.json")


def test_a_folder_with_thousands_of_files_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "it")
    for number in range(MAX_ENTRIES):
        (folder / f"{number}.txt").touch()
    assert_refused(folder, "has more than 2,000 files")


def test_the_encoder_in_a_folder_of_its_own_is_pointed_to(tmp_path: Path) -> None:
    write_model(tmp_path / "it" / "0_Transformer")
    assert_refused(tmp_path / "it", "has its encoder in the folder 0_Transformer")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path / "none", "cannot be read")
