"""``evenkeel demo``: a real job from upload to report, on a stack of its own that is gone
afterwards.

The data are made on the spot from what every Python has: which module does this sentence of a
docstring come from? The encoder is the real one of the worker's extra. The outcome is whatever
was measured.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from cli.api_models import Job
from cli.client import Client
from cli.demo_dataset import write_dataset
from cli.errors import INTERRUPTED, JOB_DID_NOT_SUCCEED, CliError
from cli.follow import FollowedJob, follow_jobs
from cli.job_request import TrainOptions, build_job_request
from cli.report_files import build_section
from cli.tables import format_duration, format_job, format_reports_side_by_side, make_console
from cli.up import require_worker_packages
from shared.domain.states import JobState
from shared.infra.child_process import (
    build_module_command,
    build_module_environment,
    describe_exit_code,
    make_parent_death_hook,
)
from shared.report import StabilityReport
from shared.report.comparison import Comparison, ComparisonInput, build_comparison

# Both recipes as they come, but for the length and the re-init depth of `stabilized`, which
# pilots would find out: given, so that two cores need about half of the ten minutes a demo may
# take. Scores are told on rows that chose nothing, and enough of them that one row more or less
# right is no spread.
SEED_COUNT: Final = 5
ROW_COUNT: Final = 560
COMMON_OPTIONS: Final = TrainOptions(seeds=SEED_COUNT, validation_fraction=0.2, test_fraction=0.3)
RECIPE_OPTIONS: Final = (
    replace(COMMON_OPTIONS, preset="conventional"),
    replace(COMMON_OPTIONS, preset="stabilized", max_steps="160", reinit_layers="1"),
)
HTML_PATH, PNG_PATH = Path("demo-report.html"), Path("demo-report.png")
START_TIMEOUT_S: Final = 120.0
STOP_TIMEOUT_S: Final = 15.0


def run_demo(keep_home: Path | None) -> int:
    """Returns the exit code: 0 when both jobs ended well and the report is written."""
    require_worker_packages()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )  # so that the way out is the orderly one
    console = make_console()
    console.print("Starting API, worker, queue and database ...")
    try:
        with (
            provide_data_dir(keep_home) as home,
            run_child_service(home) as url,
            Client(url) as client,
        ):
            return _compare_recipes(client, home, console)
    except KeyboardInterrupt:
        console.print("\nStopped.")
        return INTERRUPTED


@contextmanager
def provide_data_dir(kept_folder: Path | None) -> Iterator[Path]:
    """The folder to keep, or a temporary one."""
    if kept_folder is not None:
        kept_folder.mkdir(parents=True, exist_ok=True)
        yield kept_folder
        return
    with tempfile.TemporaryDirectory(prefix="evenkeel-demo-") as folder:
        yield Path(folder)


@contextmanager
def run_child_service(home: Path) -> Iterator[str]:
    """``evenkeel up`` as a child, on a free port, deaf to the caller's own settings; yields its
    URL, stops it at the end.
    """
    log = home / "up.log"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("EVENKEEL_")
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            build_module_command("cli", "up", "--home", str(home), "--port", "0"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment | build_module_environment(),
            start_new_session=True,  # a terminal's Ctrl-C is ours to pass on
            preexec_fn=make_parent_death_hook(),
        )
    try:
        yield _wait_for_url(process, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_url(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """What it says when it is ready. Its ``url`` file would not do: a kept home may still have
    that of a killed owner.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        said = log.read_text(encoding="utf-8", errors="replace")
        ready = re.search(r"Evenkeel is ready at (\S+)", said)
        if ready is not None:
            return ready[1]
        if process.poll() is not None or time.monotonic() > deadline:
            why = (
                "took too long to start"
                if process.returncode is None
                else describe_exit_code(process.returncode)
            )
            raise CliError(
                "\n".join([f"`evenkeel up` {why}. Its last lines:", *said.splitlines()[-20:]])
            )
        time.sleep(0.1)


def _compare_recipes(client: Client, home: Path, console: Console) -> int:
    began = time.monotonic()
    jobs = follow_jobs(client, _create_jobs(client, home, console), console)
    for job in jobs:
        if job.status is not JobState.SUCCEEDED:
            console.print(format_job(job))
            return JOB_DID_NOT_SUCCEED
    reports = [(job.preset, client.get_stability_report(job.id)) for job in jobs]
    control, treated = (ComparisonInput(report, preset) for preset, report in reports)
    comparison = build_comparison((control, treated))
    console.print(f"\nTrained in {format_duration(time.monotonic() - began)}.\n")
    _print_outcome(console, reports, comparison)
    _write_files(client, jobs, reports, comparison)
    console.print(f"\nWrote {HTML_PATH} and {PNG_PATH}. Stopping everything.")
    return 0


def _create_jobs(client: Client, home: Path, console: Console) -> list[FollowedJob]:
    data = home / "docstrings.csv"
    write_dataset(data, ROW_COUNT)
    file = client.upload_file(data)
    console.print(
        f"{client.url}: uploaded {file.filename}, sentences from docstrings and the module "
        "they come from."
    )
    jobs = [client.create_job(build_job_request(options, file.id)) for options in RECIPE_OPTIONS]
    for job in jobs:
        console.print(format_job(job))
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


def _write_files(
    client: Client,
    jobs: Sequence[Job],
    reports: Sequence[tuple[str, StabilityReport]],
    comparison: Comparison,
) -> None:
    from shared.report.page import render_report, render_summary_png

    sections = [
        build_section(client, job, report) for job, (_, report) in zip(jobs, reports, strict=True)
    ]
    HTML_PATH.write_text(render_report(sections, comparison), encoding="utf-8")
    PNG_PATH.write_bytes(render_summary_png(reports))
