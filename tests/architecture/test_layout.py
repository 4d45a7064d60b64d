"""Rules of the tree: light imports, torch only in the trainer, and packages from this tree."""

import subprocess
import sys
from pathlib import Path

import api
import cli
import shared
import worker

ROOT = Path(__file__).parents[2]


def run_in_new_process(code: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return answer.stdout


def test_the_packages_are_those_of_this_tree() -> None:
    """Without ``tests/__init__.py``, ``import api`` could import ``tests/api``."""
    for package in (api, cli, shared, worker):
        assert package.__file__ is not None
        assert Path(package.__file__).parent.parent == ROOT


def test_the_api_starts_without_heavy_libraries() -> None:
    code = (
        "import sys; from api.app import create_app; create_app();"
        "heavy = ('torch', 'transformers', 'tokenizers', 'onnxruntime', 'scipy', "
        "'sklearn', 'pyarrow', 'altair', 'numpy');"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert run_in_new_process(code) == "[]\n"


def test_the_celery_worker_imports_no_torch() -> None:
    code = (
        "import sys; import worker.tasks, worker.maintenance.sweeper, "
        "worker.__main__; print('torch' in sys.modules)"
    )
    assert run_in_new_process(code) == "False\n"


def test_the_command_line_starts_without_heavy_libraries() -> None:
    code = (
        "import sys; import cli.__main__; print([n for n in ('torch', 'scipy', "
        "'altair', 'celery', 'fastapi') if n in sys.modules])"
    )
    assert run_in_new_process(code) == "[]\n"
