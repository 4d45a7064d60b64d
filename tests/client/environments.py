"""Virtual environments with one major version each of the official client.

They are kept beside the checkout. An environment's folder is named after the digest of its pins
and of the interpreter, so that other pins get another environment.
"""

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

MAJORS = ("1", "2", "3")
PINS = Path(__file__).parent / "pins"
CACHE = Path(__file__).parents[2] / ".clients"


class EnvironmentFailed(Exception):
    """pip could not install the pinned packages; the message has the end of its output."""


def create_environments(cache: Path = CACHE) -> dict[str, Path]:
    """Return the interpreter of each major's environment. Raises EnvironmentFailed."""
    # threads, because most of the time is spent waiting for the package index
    with ThreadPoolExecutor(len(MAJORS)) as pool:
        pythons = pool.map(
            lambda major: create_environment(PINS / f"openai-{major}.txt", cache), MAJORS
        )
        return dict(zip(MAJORS, pythons, strict=True))


def create_environment(pins: Path, cache: Path) -> Path:
    """Return the interpreter of an environment with exactly these packages; create it if needed.

    Safe for concurrent calls of several processes.
    """
    key = hashlib.sha256(
        f"{sys.version}\n{sys.executable}\n{pins.read_text()}".encode()
    ).hexdigest()[:12]
    folder = cache / f"{pins.stem}-{key}"
    python, marker = folder / "bin" / "python", folder / "made"
    cache.mkdir(parents=True, exist_ok=True)
    with _lock_file(folder.with_suffix(".lock")):
        if not marker.exists():  # missing or interrupted
            _run_python("-m", "venv", "--clear", "--without-pip", str(folder))
            # with the pip of this interpreter: installing another would take longer than the
            # packages
            _run_python(
                "-m", "pip", f"--python={python}", "install", *_PIP_OPTIONS, f"--requirement={pins}"
            )
            marker.touch()
    return python


_PIP_OPTIONS = (
    "--quiet",
    "--disable-pip-version-check",
    "--no-compile",
    "--no-deps",
    "--only-binary=:all:",
)


@contextmanager
def _lock_file(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run_python(*arguments: str) -> None:
    completed = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False
    )
    if completed.returncode != 0:
        raise EnvironmentFailed(
            f"`python {' '.join(arguments)}` failed; the tests of the official client need "
            "a package index that pip reaches "
            f"(or PIP_NO_INDEX and PIP_FIND_LINKS with the wheels).\n{completed.stderr[-2000:]}"
        )
