"""Panics of the tokenizers library, which Python sees as exceptions that are no ``Exception``.

A tokenizer can read most texts and still fail on one: a regular expression gives up after ten
million steps of backtracking.
"""

from collections.abc import Iterator
from contextlib import contextmanager

MAX_DETAIL_CHARACTERS = 200


class TokenizerFailed(Exception):
    """What the library says about a file or a text that it cannot read."""


@contextmanager
def catch_panics() -> Iterator[None]:
    """Raise TokenizerFailed for whatever the library raises in the block."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as problem:  # noqa: BLE001 (a panic in Rust is no Exception)
        raise TokenizerFailed(str(problem)[:MAX_DETAIL_CHARACTERS]) from None
