"""The service that trains the jobs of a benchmark, in a folder of the benchmark's home."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks.contenders.jobs import JobRunner
from cli.client import Client
from cli.demo import run_child_service


@contextmanager
def run_job_service(
    home: Path, model_folders: Sequence[Path], console: Console
) -> Iterator[JobRunner]:
    """Run the service while the block runs; it offers the encoders in the folders as well."""
    folder = home / "service"
    folder.mkdir(parents=True, exist_ok=True)
    models = ":".join(str(path.resolve()) for path in model_folders)
    settings = {"EVENKEEL_MODEL_DIRS": models} if models else {}
    with run_child_service(folder, settings) as url, Client(url) as client:
        yield JobRunner(client, home, console)
