"""``evenkeel logs``: what the process that trained a run has written."""

from typing import Final

from cli.client import Client
from cli.console import print_text
from cli.events import print_event
from cli.tables import make_console

MAX_EVENTS: Final = 1000  # of the job, among which those of the run are shown


def show_log(client: Client, job_id: str, run_id: str) -> None:
    """Print the run's log; without one, say so and print the run's events, both to stderr."""
    log = client.get_run_log(job_id, run_id)
    if log.strip():
        print_text(log, end="" if log.endswith("\n") else "\n")
        return
    console = make_console(stderr=True)
    events = [event for event in client.list_events(job_id, MAX_EVENTS) if event.run_id == run_id]
    follows = "Its events:" if events else "It has no events yet either."
    console.print(f"Run {run_id} has no log. {follows}", markup=False)
    for event in reversed(events):
        print_event(console, event)
