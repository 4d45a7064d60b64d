"""Commands, environments and exit codes of child processes."""

import os
import subprocess
from pathlib import Path

import pytest

from shared.infra.child_process import (
    build_module_command,
    build_module_environment,
    describe_exit_code,
)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended with code 0"),
        (3, "ended with code 3"),
        (-9, "was killed by signal 9 (SIGKILL)"),
        (-40, "was killed by signal 40"),
    ],
)
def test_exit_codes_are_described(code: int, words: str) -> None:
    assert describe_exit_code(code) == words


def test_a_folder_of_the_user_with_the_name_of_a_package_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "__init__.py").write_text("raise SystemExit('the user\\'s own')")
    done = subprocess.run(
        build_module_command("shared.domain.states"),
        cwd=tmp_path,
        env={**os.environ, **build_module_environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
