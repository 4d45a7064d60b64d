"""``evenkeel events``: a job's past events and, if followed, the new ones."""

import json
import time
from collections.abc import Iterable, Iterator
from typing import Final

import httpx
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from cli.api_models import Event
from cli.client import Client
from cli.errors import INTERRUPTED, CliError
from cli.follow import RETRY_TIMEOUT_S
from cli.tables import make_console
from cli.times import format_time
from cli.train import get_exit_code

RECONNECT_DELAY_S: Final = 1.0  # before reconnecting to a stream that broke off
_UNREADABLE: Final = (
    "The service sent an event that this version of Evenkeel cannot read. Check --url or "
    "EVENKEEL_URL."
)
LEVEL_COLORS: Final = {"warn": "yellow", "error": "red"}


def show_events(client: Client, job_id: str, limit: int, *, follow: bool) -> int:
    """Print the latest events, oldest first; if ``follow``, also new ones until the job ends.

    Returns the exit code.
    """
    console = make_console()
    latest = client.list_events(job_id, limit)
    for event in reversed(latest):
        print_event(console, event)
    if follow:
        try:
            for event in _follow_events(client, job_id, latest[0].id if latest else None):
                print_event(console, event)
        except KeyboardInterrupt:
            return INTERRUPTED
    return get_exit_code(client.get_job(job_id)) if follow else 0


def _follow_events(client: Client, job_id: str, after: str | None) -> Iterator[Event]:
    """Iterate over new events; after a broken stream, continue with the event after the last.

    Raises CliError if the service stays away for RETRY_TIMEOUT_S.
    """
    client.retry_timeout_s = RETRY_TIMEOUT_S
    last_event_at = time.monotonic()
    while True:
        try:
            with client.stream_event_lines(job_id, after) as lines:
                for event in _parse_events(lines):
                    after, last_event_at = event.id, time.monotonic()
                    yield event
                return
        except httpx.TransportError as error:
            if time.monotonic() - last_event_at > RETRY_TIMEOUT_S:
                raise CliError(
                    f"The service has not responded for {RETRY_TIMEOUT_S:.0f} seconds. "
                    "Check that it is running."
                ) from error
            time.sleep(RECONNECT_DELAY_S)


def _parse_events(lines: Iterable[str]) -> Iterator[Event]:
    """Parse server-sent events with one data line each; skip the data of ``event: done``.

    Raises CliError for ``event: error``.
    """
    kind = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            kind = value
        elif field == "data" and kind == "error":
            raise _build_refusal(value)
        elif field == "data" and kind != "done":
            yield _parse_event(value)


def _parse_event(text: str) -> Event:
    try:
        return Event.model_validate_json(text)
    except ValidationError as error:
        raise CliError(_UNREADABLE) from error


def _build_refusal(text: str) -> CliError:
    """Return the error with which the service has ended a stream."""
    try:
        return CliError(str(json.loads(text)["error"]["message"]))
    except (ValueError, KeyError, TypeError):
        return CliError(_UNREADABLE)


def print_event(console: Console, event: Event) -> None:
    """Print an event with its time; one that is not information with its level."""
    at = format_time(event.created_at, with_seconds=True)
    color = LEVEL_COLORS.get(event.level)
    text = escape(event.message if color is None else f"{event.level}: {event.message}")
    # where the output is no terminal, an event is one line however long it is
    console.print(
        f"{at}  {text if color is None else f'[{color}]{text}[/]'}",
        soft_wrap=not console.is_terminal,
    )
