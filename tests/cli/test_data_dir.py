"""The data folder of ``evenkeel up``: its permissions, its lock, its URL file."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cli.data_dir import open_data_dir
from cli.errors import BAD_INPUT, CliError
from shared.infra.child_process import build_module_environment


def test_only_the_owner_can_read_the_folder(tmp_path: Path) -> None:
    with open_data_dir(tmp_path / "deep" / "home") as home:
        assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700
        assert {part.name for part in home.folder.iterdir()} == {"lock", "logs", "redis"}
        assert home.lock_file.read_text() == f"{os.getpid()}\n"


def test_a_locked_folder_names_the_owner(tmp_path: Path) -> None:
    sentence = rf"process {os.getpid()}\)\. Stop that process, or .* --home"
    with (
        open_data_dir(tmp_path),
        pytest.raises(CliError, match=sentence) as caught,
        open_data_dir(tmp_path),
    ):
        pass
    assert caught.value.exit_code == BAD_INPUT


def test_the_lock_ends_with_its_owner_even_if_killed(tmp_path: Path) -> None:
    with open_data_dir(tmp_path):
        pass
    dies = (
        "import os, pathlib, sys; from cli.data_dir import open_data_dir\nwith "
        "open_data_dir(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", dies, str(tmp_path)],
        env={**os.environ, **build_module_environment()},
        check=False,
    )
    assert killed.returncode == -9
    with open_data_dir(tmp_path) as home:
        assert home.lock_file.read_text() == f"{os.getpid()}\n"


def test_the_url_of_a_killed_owner_is_removed(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("http://127.0.0.1:1\n")
    with open_data_dir(tmp_path) as home:
        assert not home.url_file.exists()
        home.url_file.write_text("http://127.0.0.1:2\n")
    assert not home.url_file.exists()


def test_refuses_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with (
        pytest.raises(
            CliError, match=r"Cannot use the data folder .* Choose another one with --home"
        ),
        open_data_dir(tmp_path / "home"),
    ):
        pass
