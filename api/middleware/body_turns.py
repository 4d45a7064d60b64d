"""Turns for requests with large bodies, which bound what receiving and parsing them costs.

A request that waits for its turn costs no memory: while nobody reads its body, the server does not
take it from the network, or it lies in a temporary file. The turn ends with the response, or as
soon as the parsed request waits in a lane of heavy work, whose places are bounded too; otherwise
eight long classifications would hold up every other large request.
"""

from contextvars import ContextVar
from typing import Final

from api.fair_turns import FairTurns, Turn

MAX_CONCURRENT_UPLOADS: Final = 64
"""Uploads whose bodies are received at a time, each into a temporary file."""
MAX_CONCURRENT_LARGE_BODIES: Final = 8
"""Other requests of more than 64 kB that are parsed at a time."""
MAX_WAIT_S: Final = 30.0

_current_turn: ContextVar[Turn | None] = ContextVar("current_turn", default=None)
"""The turn of the request that this task works on."""


def make_upload_turns() -> FairTurns:
    return FairTurns("uploads", MAX_CONCURRENT_UPLOADS, max_wait_s=MAX_WAIT_S)


def make_large_body_turns() -> FairTurns:
    return FairTurns("large requests", MAX_CONCURRENT_LARGE_BODIES, max_wait_s=MAX_WAIT_S)


def keep_body_turn(turn: Turn) -> None:
    """Remember the turn of the current request."""
    _current_turn.set(turn)


def release_body_turn() -> None:
    """End the turn of the current request, if it has one."""
    turn = _current_turn.get()
    if turn is not None:
        turn.release()
