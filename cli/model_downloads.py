"""What a followed job says while it waits for its model to be downloaded."""

from typing import Final

from rich.console import Console

from cli.api_models import Job
from cli.client import Client
from cli.progress import FollowedJob
from shared.domain.states import JobState

SHOWN_EVENTS: Final = 20
_BEGINNINGS: Final = ("Downloading ", "Downloaded ", "The hub ", "The model ")


class DownloadLines:
    """Prints each new event of a job that is ``validating_files``, and the one that ends that."""

    def __init__(self, client: Client, console: Console) -> None:
        self._client = client
        self._console = console
        self._printed: dict[str, set[str]] = {}

    def show_download(self, followed: FollowedJob, previous: Job, job: Job) -> None:
        """Print what is new; ``previous`` is the job as it was read before."""
        if JobState.VALIDATING_FILES not in (previous.status, job.status):
            return
        printed = self._printed.setdefault(job.id, set())
        prefix = f"{followed.title}: " if followed.title else ""
        for event in reversed(self._client.list_events(job.id, SHOWN_EVENTS)):
            # runs have lines of their own, and the first event only repeats the request
            if event.id not in printed and event.message.startswith(_BEGINNINGS):
                self._console.print(f"{prefix}{event.message}", markup=False)
            printed.add(event.id)
