"""``evenkeel events``: what has happened to a job, and what happens to it now."""

import json
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

import httpx
from rich.console import Console
from rich.markup import escape

from cli.api_models import Event
from cli.client import Client
from cli.errors import INTERRUPTED, CliError
from cli.follow import RETRY_TIMEOUT_S
from cli.tables import make_console
from cli.train import get_exit_code

RECONNECT_DELAY_S: Final = 1.0  # before a stream that broke off is begun again
LEVEL_COLOURS: Final = {"warn": "yellow", "error": "red"}


def show_events(client: Client, job_id: str, limit: int, *, follow: bool) -> int:
    """Print the latest, oldest first, and if asked to those that come until the job has ended;
    returns the exit code.
    """
    console = make_console()
    latest = client.list_events(job_id, limit)
    for event in reversed(latest):
        _print_event(console, event)
    if follow:
        try:
            for event in _follow_events(client, job_id, latest[0].id if latest else None):
                _print_event(console, event)
        except KeyboardInterrupt:
            return INTERRUPTED
    return get_exit_code(client.get_job(job_id)) if follow else 0


def _follow_events(client: Client, job_id: str, after: str | None) -> Iterator[Event]:
    """Goes on after the last event when a stream breaks off. Raises CliError once the service
    has been away for long.
    """
    client.retry_timeout_s = RETRY_TIMEOUT_S
    heard = time.monotonic()
    while True:
        try:
            with client.stream_event_lines(job_id, after) as lines:
                for event in _parse_events(lines):
                    after, heard = event.id, time.monotonic()
                    yield event
                return
        except httpx.TransportError as error:
            if time.monotonic() - heard > RETRY_TIMEOUT_S:
                raise CliError(
                    f"The service has not answered for {RETRY_TIMEOUT_S:.0f} seconds."
                ) from error
            time.sleep(RECONNECT_DELAY_S)


def _parse_events(lines: Iterable[str]) -> Iterator[Event]:
    """Of a stream of server-sent events, each of one line of data; ``event: done`` has none of
    ours.
    """
    kind = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            kind = value
        elif field == "data" and kind != "done":
            yield Event.model_validate(json.loads(value))


def _print_event(console: Console, event: Event) -> None:
    at = datetime.fromtimestamp(event.created_at, UTC).astimezone().strftime("%H:%M:%S")
    colour = LEVEL_COLOURS.get(event.level)
    text = escape(event.message if colour is None else f"{event.level}: {event.message}")
    console.print(f"{at}  {text if colour is None else f'[{colour}]{text}[/]'}", soft_wrap=True)
