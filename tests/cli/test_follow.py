"""What a terminal shows of a job whose recipe is chosen by pilots."""

import io
from typing import Any

import pytest
from rich.console import Console

from cli.api_models import Job, Run
from cli.progress import FollowedJob, PlainLines
from cli.progress_bars import JobProgress, ProgressScreen
from cli.tables import format_job
from tests.cli.fake_service import JOB

PILOTS: dict[str, Any] = {"automatic": ["reinit_layers", "max_steps"], "reason": None}


def shown(**changes: Any) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(format_job(Job.model_validate({**JOB, **changes})))
    return console.export_text()


def test_a_job_shows_what_pilots_choose_and_then_why() -> None:
    searching = shown(resolved_recipe=None, recipe={"preset": "stabilized"}, pilots=PILOTS)
    assert "m, recipe stabilized: pilots choose reinit_layers and max_steps first" in searching
    recipe = {
        "preset": "stabilized",
        "max_steps": 320,
        "train_batch_size": 32,
        "learning_rate": 5e-5,
        "reinit_layers": 1,
    }
    found = shown(
        resolved_recipe=recipe, pilots={**PILOTS, "reason": "reinit_layers 1: it was best."}
    )
    assert "320 steps per run" in found
    assert "reinit_layers 1: it was best." in found


RUN: dict[str, Any] = {
    "id": "r",
    "index": 3,
    "seed": 2**31 + 1,
    "status": "running",
    "degenerate": None,
    "attempt": 1,
    "step": 5,
    "total_steps": 10,
    "validation_score": None,
    "score": None,
    "error": None,
}


def make_run(**changes: Any) -> Run:
    return Run.model_validate({**RUN, **changes})


def make_job(percent: float = 0, **progress: Any) -> Job:
    changed = {**JOB["progress"], "percent": percent, **progress}
    return Job.model_validate({**JOB, "progress": changed})


def test_lines_name_pilots_and_seeds() -> None:
    said: list[str] = []
    runs = [
        make_run(purpose="pilot"),
        make_run(id="s", seed=7, status="discarded"),
        make_run(id="t", seed=1, init_seed=1, data_seed=4, fold=2),
    ]
    PlainLines(said.append).show_runs(FollowedJob(make_job()), make_job(), runs)
    assert said == [
        "pilot 3: running, step 5/10",
        "seed 7: discarded, step 5/10",
        "seed 1, data 4, fold 2: running, step 5/10",
    ]


def test_plain_lines_say_a_total_once_a_tenth() -> None:
    said: list[str] = []
    lines = PlainLines(said.append)
    for percent in (3, 12.4, 19, 20, 55):
        job = make_job(percent, steps_done=int(percent * 2), steps_total=200, seconds_remaining=70)
        lines.show_runs(FollowedJob(job, "llrd"), job, [])
    assert said == [
        "llrd total: 12%, 24/200 steps, about 1 min 10 s left",
        "llrd total: 20%, 40/200 steps, about 1 min 10 s left",
        "llrd total: 55%, 110/200 steps, about 1 min 10 s left",
    ]


def draw(width: int, height: int, runs: list[Run], title: str = "") -> list[str]:
    job = make_job(45, steps_done=13500, steps_total=30000, seconds_remaining=48000)
    console = Console(
        width=width, height=height, record=True, file=io.StringIO(), force_terminal=True
    )
    console.print(ProgressScreen([JobProgress(FollowedJob(job, title), job, runs)]))
    return console.export_text().splitlines()


def make_runs(count: int) -> list[Run]:
    """Every third run is in training, long and with all numbers."""
    numbers = {"train_loss": 0.1234, "validation_score": 0.8765, "total_steps": 2000}
    return [
        make_run(id=f"r{n}", seed=n, step=1999, status="queued" if n % 3 else "running", **numbers)
        for n in range(count)
    ]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("count", [5, 20, 60])
@pytest.mark.parametrize("title", ["", "conventional"])
def test_progress_fits_the_terminal(width: int, count: int, title: str) -> None:
    lines = draw(width, 24, make_runs(count), title)
    assert len(lines) < 24
    assert all(len(line) <= width for line in lines)
    assert lines[-1].split("━")[0].split() == [*title.split(), "total"]
    assert lines[-1].endswith("45%  13500/30000 steps, about 13 h 20 min left")
    running = [line for line in lines if "running" in line and "━" in line]
    assert len(running) == min(-(-count // 3), 21)
    assert all("1999/2000  running" in line and "validation 0.8765" in line for line in running)


def test_runs_without_a_line_are_counted() -> None:
    lines = draw(80, 12, make_runs(20))
    assert sum("━" in line for line in lines) == 10
    assert "and 11 more runs: 11 queued" in lines


def test_numbers_give_way_on_a_narrow_terminal() -> None:
    lines = draw(60, 24, make_runs(3))
    assert all(len(line) <= 60 for line in lines)
    assert "1999/2000  running" in lines[0]
    assert "…" not in "".join(lines)
