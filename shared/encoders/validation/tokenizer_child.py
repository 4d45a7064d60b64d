"""The process that checks one folder's tokenizer: ``python -m … FOLDER EMBEDDINGS PAD_TOKEN_ID``.

A tokenizer is a program of strangers: nested or repeated steps and regular expressions can take
any time and memory, and may crash the libraries that run them. Here that ends this process alone.
"""

import contextlib
import json
import os
import resource
import sys
from pathlib import Path

MAX_MEMORY_BYTES = 2 * 1024**3
"""Address space; the largest tokenizers in use, with 250,000 tokens, need a fifth of it."""
MAX_CPU_SECONDS = 20
"""Ten times what those tokenizers take on a slow core."""
NICENESS = 5
"""Requests are answered first."""


def main(folder: str, embeddings: str, pad_token_id: str) -> None:
    """Write ``{"unfit": reason or null}`` or ``{"errno": number}`` to the standard output."""
    _limit_this_process()
    try:
        outcome = _check(Path(folder), int(embeddings), json.loads(pad_token_id))
    except OSError as error:
        outcome = {"errno": error.errno}
    sys.stdout.write(json.dumps(outcome))
    sys.stdout.flush()
    os._exit(0)  # freeing a large tokenizer takes as long as making it


def _check(folder: Path, embeddings: int, pad_token_id: int | None) -> dict[str, object]:
    from shared.encoders.validation.errors import UnfitModel  # loaded within the limits
    from shared.encoders.validation.tokenizer_files import check_tokenizer, refuse_costly

    try:
        check_tokenizer(folder, embeddings, pad_token_id)
    except UnfitModel as unfit:
        return {"unfit": unfit.reason}
    except (MemoryError, RecursionError):
        return {"unfit": refuse_costly().reason}
    return {"unfit": None}


def _limit_this_process() -> None:
    for kind, soft, hard in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES, MAX_MEMORY_BYTES),
        # at the soft limit comes SIGXCPU, which says what happened; at the hard one SIGKILL
        (resource.RLIMIT_CPU, MAX_CPU_SECONDS, MAX_CPU_SECONDS + 5),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # a lower limit is already in force
            resource.setrlimit(kind, (soft, hard))
    os.nice(NICENESS)


if __name__ == "__main__":
    main(*sys.argv[1:])
