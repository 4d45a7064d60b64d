"""Starting child processes and describing how they ended."""

import ctypes
import logging
import os
import signal
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)
_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>
STARTED_FD_VARIABLE: Final = "EVENKEEL_STARTED_FD"
"""Descriptor to which a part of the service writes once it works; its parent then never gives it
up.
"""


def make_parent_death_hook() -> Callable[[], None]:
    """Return a hook for ``preexec_fn`` by which the kernel kills the child when its parent ends
    (Linux).
    """
    parent = os.getpid()
    libc = _load_libc()  # loaded before the fork: only calls may follow it

    def before_exec() -> None:
        _request_death_signal(libc)
        if os.getppid() != parent:  # the parent died before prctl took effect
            os._exit(1)

    return before_exec


def exit_unless_child_of(parent: int | None) -> None:
    """Have the kernel kill this process when its parent ends (Linux).

    Raises SystemExit if ``parent`` is given and is no longer the parent; OSError if the kernel
    refuses.
    """
    if _request_death_signal(_load_libc()) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if parent is not None and os.getppid() != parent:  # it died before prctl took effect
        sys.exit("the parent of this process has ended")


def announce_start() -> None:
    """Tell the parent, if it asked, that this process works. A second call does nothing."""
    descriptor = os.environ.pop(STARTED_FD_VARIABLE, None)
    if descriptor is None:
        return
    try:
        os.write(int(descriptor), b"1")
        os.close(int(descriptor))
    except OSError:  # the parent is gone, and with it whoever would restart this process
        log.debug("start_not_announced descriptor=%s", descriptor)


def _load_libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _request_death_signal(libc: ctypes.CDLL | None) -> int:
    """Ask for SIGKILL at the parent's death; return 0, or another number if that failed."""
    return 0 if libc is None else int(libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def describe_exit_code(code: int) -> str:
    """Describe a return code: "was killed by signal 9 (SIGKILL)", "ended with code 1"."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by signal {-code} ({signal.Signals(-code).name})"
    except ValueError:  # real-time signals have no name
        return f"was killed by signal {-code}"


def build_module_command(module: str, *arguments: str) -> list[str]:
    """Build the command line that runs a module of this distribution; needs ``python_path`` in
    the environment.
    """
    return [sys.executable, "-u", "-m", module, *arguments]


def build_module_environment() -> dict[str, str]:
    """Build an environment in which a child and its own children import this distribution's
    modules.

    The current folder stays out of the import path, because a user's own ``api/`` or
    ``worker/`` folder must not be imported. A source tree that is not installed is added.
    """
    safe = {"PYTHONSAFEPATH": "1"}
    root = str(Path(__file__).resolve().parents[2])
    if root in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        return safe
    return safe | {
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    }
