"""Starts the process that checks a tokenizer within limits (``tokenizer_child``)."""

import errno
import json
import os
import signal
import subprocess
from pathlib import Path

from shared.encoders.validation.errors import UnfitModel
from shared.encoders.validation.tokenizer_files import TOKENIZER_FILES, refuse_costly
from shared.infra.child_process import build_module_command, build_module_environment

MAX_SECONDS = 300.0
"""Time on the clock, for a process that waits; the child's own limit is of processor time."""
_INHERITED_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "TZ", "TMPDIR")
"""Environment variables that the child may need; passwords and keys are not among them."""
_ONE_THREAD = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_ENDED_BY_TOKENIZER = frozenset(
    {-signal.SIGXCPU, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGILL}
)
"""Signals by which a tokenizer ends the process: time, memory that a library asked for, a stack
that overflowed. SIGKILL is not one of them: it comes from outside.
"""


def check_tokenizer_apart(folder: Path, embeddings: int, pad_token_id: int | None) -> None:
    """Check the tokenizer as ``check_tokenizer`` does, in a process with limits.

    Raises UnfitModel, also for a tokenizer that exceeds the limits, and OSError.
    """
    _require_readable(folder)
    arguments = (str(folder.absolute()), str(embeddings), json.dumps(pad_token_id))
    inherited = {name: os.environ[name] for name in _INHERITED_ENVIRONMENT if name in os.environ}
    try:
        ended = subprocess.run(
            build_module_command("shared.encoders.validation.tokenizer_child", *arguments),
            env=inherited | build_module_environment() | _ONE_THREAD | {"PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)) from None
    if ended.returncode in _ENDED_BY_TOKENIZER:
        raise refuse_costly()
    if ended.returncode != 0:
        raise OSError(errno.EAGAIN, f"its tokenizer could not be checked ({ended.returncode})")
    outcome = json.loads(ended.stdout)
    if "errno" in outcome:
        raise OSError(outcome["errno"], os.strerror(outcome["errno"]))
    if outcome["unfit"] is not None:
        raise UnfitModel(outcome["unfit"])


def _require_readable(folder: Path) -> None:
    """Raise OSError for a file that cannot be opened, before a process is started for it."""
    for name in TOKENIZER_FILES:
        if (folder / name).exists():
            with (folder / name).open("rb"):
                pass
