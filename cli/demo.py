"""``evenkeel demo``: two real jobs from upload to comparison, on a temporary service.

The data set is made from docstrings of the standard library, so nothing is downloaded. The encoder
is the pre-trained one that comes with the worker's packages. The outcome is whatever is measured.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from cli.api_models import Comparison
from cli.client import Client
from cli.errors import JOB_DID_NOT_SUCCEED, CliError, Interrupted
from cli.follow import follow_jobs
from cli.job_request import TrainOptions, build_job_request
from cli.progress import FollowedJob
from cli.tables import format_duration, format_job, format_reports_side_by_side, make_console
from cli.up import build_page_url, require_worker_packages
from shared.datasets.sample_dataset import write_dataset
from shared.domain.states import JobState
from shared.infra.child_process import (
    build_module_command,
    build_module_environment,
    describe_exit_code,
    make_parent_death_hook,
)
from shared.report import StabilityReport

# Both recipes with their defaults: pilots choose the automatic values of `stabilized`. The test
# split, by which nothing is chosen, is large enough that a single row hardly changes a score.
# With these rows and seeds the demo takes 5 to 10 minutes on two cores.
SEED_COUNT: Final = 5
ROW_COUNT: Final = 560
COMMON_OPTIONS: Final = TrainOptions(seeds=SEED_COUNT, validation_fraction=0.2, test_fraction=0.3)
RECIPE_OPTIONS: Final = (
    replace(COMMON_OPTIONS, preset="conventional"),
    replace(COMMON_OPTIONS, preset="stabilized"),
)
HTML_PATH, PNG_PATH = Path("demo-report.html"), Path("demo-report.png")
START_TEXT: Final = (
    "Starting API, worker, queue and database. The demo trains two recipes over "
    f"{SEED_COUNT} seeds each, which takes 5 to 10 minutes on two CPU cores."
)
PILOTS_TEXT: Final = (
    "Pilots are short runs with seeds of their own. They choose what the head reads, how many top "
    "blocks to re-initialize, the learning rate and the length, by validation score."
)
START_TIMEOUT_S: Final = 120.0
STOP_TIMEOUT_S: Final = 15.0


def run_demo(keep_home: Path | None, *, stays: bool = False) -> int:
    """Run both jobs and write the report; return the exit code, 0 if both jobs succeeded.

    With ``stays`` the service runs on until Ctrl-C.
    """
    require_worker_packages()
    # exit through the context managers below, which stop the service
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = make_console()
    console.print(START_TEXT)
    try:
        with (
            provide_data_dir(keep_home) as home,
            run_child_service(home) as url,
            Client(url) as client,
        ):
            code = _compare_recipes(client, home, console)
            if stays:
                _wait_for_interrupt(url, console)
            return code
    except KeyboardInterrupt:
        kept = "" if keep_home is None else f" Its data is in {keep_home}."
        raise Interrupted(f"The demo and its service are stopped.{kept}") from None


@contextmanager
def provide_data_dir(kept_folder: Path | None) -> Iterator[Path]:
    """Provide the folder to keep, or a temporary one."""
    if kept_folder is not None:
        kept_folder.mkdir(parents=True, exist_ok=True)
        yield kept_folder
        return
    with tempfile.TemporaryDirectory(prefix="evenkeel-demo-") as folder:
        yield Path(folder)


@contextmanager
def run_child_service(home: Path, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run ``evenkeel up`` as a child on a free port, with these EVENKEEL_* settings and without
    the caller's.

    Yields its URL and stops it at the end.
    """
    log = home / "up.log"
    process = _start_service(home, log, settings or {})
    try:
        yield _wait_for_url(process, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start_service(home: Path, log: Path, settings: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("EVENKEEL_")
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            build_module_command("cli", "up", "--home", str(home), "--port", "0"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**inherited, **settings, **build_module_environment()},
            start_new_session=True,  # a terminal's Ctrl-C reaches this process alone
            preexec_fn=make_parent_death_hook(),
        )


def _wait_for_url(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Wait until the service's output names its URL; raise CliError if it does not start.

    The data folder's ``url`` file may be a killed service's, so it is not used.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        output = log.read_text(encoding="utf-8", errors="replace")
        ready = re.search(r"Evenkeel is ready at (\S+)", output)
        if ready is not None:
            return ready[1]
        if process.poll() is not None or time.monotonic() > deadline:
            raise _build_start_error(process.returncode, output)
        time.sleep(0.1)


def _build_start_error(exit_code: int | None, output: str) -> CliError:
    failure = "took too long to start" if exit_code is None else describe_exit_code(exit_code)
    last_lines = output.splitlines()[-20:]
    return CliError("\n".join([f"`evenkeel up` {failure}. Its last lines:", *last_lines]))


def _compare_recipes(client: Client, home: Path, console: Console) -> int:
    started = time.monotonic()
    jobs = follow_jobs(client, _create_jobs(client, home, console), console)
    for job in jobs:
        if job.status is not JobState.SUCCEEDED:
            console.print(format_job(job))
            return JOB_DID_NOT_SUCCEED
    reports = [(job.preset, client.get_stability_report(job.id)) for job in jobs]
    comparison = client.compare_jobs([job.id for job in jobs])
    console.print(f"\nTrained in {format_duration(time.monotonic() - started)}.\n")
    _print_outcome(console, reports, comparison)
    HTML_PATH.write_bytes(client.download_comparison(comparison.id, "html"))
    PNG_PATH.write_bytes(client.download_comparison(comparison.id, "png"))
    console.print(f"\nWrote {HTML_PATH} and {PNG_PATH}.")
    return 0


def _wait_for_interrupt(url: str, console: Console) -> None:
    console.print(f"\nThe service runs on until Ctrl-C. The page: {build_page_url(url)}")
    with suppress(KeyboardInterrupt):
        signal.pause()


def _create_jobs(client: Client, home: Path, console: Console) -> list[FollowedJob]:
    data = home / "docstrings.csv"
    write_dataset(data, ROW_COUNT)
    file = client.upload_file(data)
    console.print(
        f"{client.url}: uploaded {file.filename}, {ROW_COUNT} sentences from docstrings, each "
        "with the area of the standard library it comes from."
    )
    jobs = [client.create_job(build_job_request(options, file.id)) for options in RECIPE_OPTIONS]
    for job in jobs:
        console.print(format_job(job))
        if job.pilots is not None and job.pilot_reason is None:
            console.print(PILOTS_TEXT)
    console.print()
    return [FollowedJob(job, f"{job.preset:>12}") for job in jobs]


def _print_outcome(
    console: Console, reports: Sequence[tuple[str, StabilityReport]], comparison: Comparison
) -> None:
    console.print(format_reports_side_by_side(reports))
    for preset, report in reports:
        console.print(f"\n[bold]{preset}[/bold]: {escape(report.verdict.text)}")
    [pair] = comparison.pairs
    console.print(f"\n[bold]Comparison[/bold]: {escape(pair.verdict.text)}")
    for preset, report in reports:
        console.print(f"Model of {preset}: {escape(report.fine_tuned_model or 'none')}")
