"""The modules that the API imports at its start load heavy libraries only when they need them."""

import subprocess
import sys

import pytest

HEAVY = {
    "scipy",
    "numpy",
    "onnxruntime",
    "tokenizers",
    "altair",
    "vl_convert",
    "pandas",
    "pyarrow",
    "torch",
    "transformers",
}


@pytest.mark.parametrize(
    "module",
    [
        "shared.report",
        "shared.report.comparison",
        "shared.report.figures",
        "shared.report.page",
        "api.app",
    ],
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
