"""Ctrl-C while the service carries out a request: wait for the response, so that it is known."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from cli.api_models import Job
from cli.client import Client
from cli.errors import Interrupted
from cli.options import DEFAULT_URL
from cli.urls import normalize_url

_WAITING_TEXT: Final = "\nWaiting for the service's response. Ctrl-C again stops at once.\n"


@contextmanager
def defer_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of the block for a first Ctrl-C, at once for a second."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # Ctrl-C is ignored, or somebody else's
        return
    was_pressed = False

    def note_interrupt(_number: int, _frame: object) -> None:
        nonlocal was_pressed
        if was_pressed:
            raise KeyboardInterrupt
        was_pressed = True
        # a handler may interrupt a write to sys.stderr, which must not be entered twice
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _WAITING_TEXT.encode())

    signal.signal(signal.SIGINT, note_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if was_pressed:
        raise KeyboardInterrupt


def await_job(client: Client, request: Callable[[], Job], *, unknown: str) -> Job:
    """Send a request that creates or changes a job.

    Ctrl-C raises Interrupted, which names the job; or ``unknown`` if there was no response.
    """
    received: list[Job] = []
    try:
        with defer_interrupt():
            received.append(request())
    except KeyboardInterrupt:
        text = format_continuing_job(client, received[0].id) if received else unknown
        raise Interrupted(text) from None
    return received[0]


def format_continuing_job(client: Client, job_id: str) -> str:
    """Say that the job goes on, and which commands follow and cancel it."""
    follow = format_command(client, "show", job_id, "--follow")
    cancel = format_command(client, "cancel", job_id)
    return f"The job continues. Follow or cancel it with:\n  {follow}\n  {cancel}"


def format_command(client: Client, *words: str) -> str:
    """Format an ``evenkeel`` command that reaches the same service."""
    usual_url = normalize_url(os.environ.get("EVENKEEL_URL", DEFAULT_URL))
    return " ".join(
        ["evenkeel", *words, *([] if client.url == usual_url else ["--url", client.url])]
    )
