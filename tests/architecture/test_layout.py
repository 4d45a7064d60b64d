"""House rules that a machine checks: what an import may cost, where torch may be, that the
packages are the ones of this tree.
"""

import subprocess
import sys
from pathlib import Path

import api
import cli
import shared
import worker

ROOT = Path(__file__).parents[2]


def in_a_new_process(code: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return answer.stdout


def test_the_packages_are_those_of_this_tree() -> None:
    """``tests/api`` without ``tests/__init__.py`` would make ``import api`` mean the tests."""
    for package in (api, cli, shared, worker):
        assert package.__file__ is not None
        assert Path(package.__file__).parent.parent == ROOT


def test_the_api_is_made_without_what_is_heavy() -> None:
    code = (
        "import sys; from api.app import create_app; create_app();"
        "heavy = ('torch', 'transformers', 'tokenizers', 'onnxruntime', 'scipy', "
        "'sklearn', 'pyarrow', 'altair', 'numpy');"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert in_a_new_process(code) == "[]\n"


def test_the_celery_side_of_the_worker_knows_no_torch() -> None:
    code = (
        "import sys; import worker.tasks, worker.maintenance.sweeper, "
        "worker.__main__; print('torch' in sys.modules)"
    )
    assert in_a_new_process(code) == "False\n"


def test_the_command_line_starts_light() -> None:
    code = (
        "import sys; import cli.__main__; print([n for n in ('torch', 'scipy', "
        "'altair', 'celery', 'fastapi') if n in sys.modules])"
    )
    assert in_a_new_process(code) == "[]\n"
