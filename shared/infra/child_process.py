"""What a child process needs and what its end means, whoever starts it."""

import ctypes
import os
import signal
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>


def die_with_parent() -> Callable[[], None]:
    """For ``preexec_fn``: the child is killed when the calling thread's process ends, however that happens (Linux)."""
    parent = os.getpid()
    libc = (
        ctypes.CDLL(None) if sys.platform == "linux" else None
    )  # loaded before the fork: only calls may follow it

    def before_exec() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the promise was made
            os._exit(1)

    return before_exec


def in_words(code: int) -> str:
    """What a return code says: "was killed by signal 9 (SIGKILL)", "ended with code 1"."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by signal {-code} ({signal.Signals(-code).name})"
    except ValueError:  # real-time signals have no name
        return f"was killed by signal {-code}"


def python_module(module: str, *arguments: str) -> list[str]:
    """Command line that runs a module of this distribution with this interpreter; wants ``python_path`` around it."""
    return [sys.executable, "-u", "-m", module, *arguments]


def python_path() -> dict[str, str]:
    """Environment in which a child, and what it starts in turn, finds this distribution's modules and no others.

    The current folder stays out of the import path, since a user's own ``api/`` or ``worker/`` folder is not ours; a
    source tree that runs without being installed is put in.
    """
    safe = {"PYTHONSAFEPATH": "1"}
    root = str(Path(__file__).resolve().parents[2])
    if root in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        return safe
    return safe | {
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    }
