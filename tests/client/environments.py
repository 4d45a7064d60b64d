"""Virtual environments with one major version each of the official client, made once and kept
beside the checkout.

An environment's folder is named by the digest of its pins and of the interpreter, so another
pin makes another one.
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


class EnvironmentNotMade(Exception):
    """pip could not install the pinned packages; the message holds its last words."""


def interpreters(cache: Path = CACHE) -> dict[str, Path]:
    """The Python of each major's environment, made where it is not there yet. Raises
    EnvironmentNotMade.
    """
    with ThreadPoolExecutor(
        len(MAJORS)
    ) as pool:  # making one is mostly waiting for the package index
        made = pool.map(lambda major: interpreter(PINS / f"openai-{major}.txt", cache), MAJORS)
        return dict(zip(MAJORS, made, strict=True))


def interpreter(pins: Path, cache: Path) -> Path:
    """The Python of an environment with exactly these packages. Any number of processes may ask
    for it at once.
    """
    key = hashlib.sha256(
        f"{sys.version}\n{sys.executable}\n{pins.read_text()}".encode()
    ).hexdigest()[:12]
    folder = cache / f"{pins.stem}-{key}"
    python, made = folder / "bin" / "python", folder / "made"
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_suffix(".lock")):
        if not made.exists():  # never begun, or cut off
            _run("-m", "venv", "--clear", "--without-pip", str(folder))
            # this interpreter's pip installs into the other: a pip of its own would take longer
            # than the packages
            _run("-m", "pip", f"--python={python}", "install", *_QUICK, f"--requirement={pins}")
            made.touch()
    return python


_QUICK = (
    "--quiet",
    "--disable-pip-version-check",
    "--no-compile",
    "--no-deps",
    "--only-binary=:all:",
)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EnvironmentNotMade(
            f"`python {' '.join(arguments)}` failed; the tests of the official client need "
            "a package index that pip reaches "
            f"(or PIP_NO_INDEX and PIP_FIND_LINKS with the wheels).\n{done.stderr[-2000:]}"
        )
