"""What a terminal shows of a job whose recipe pilots find out."""

import io
from typing import Any

from rich.console import Console

from cli.api_models import Job, Run
from cli.follow import FollowedJob, _PlainLines
from cli.tables import format_job
from tests.cli.test_client import JOB

PILOTS: dict[str, Any] = {"automatic": ["reinit_layers", "max_steps"], "reason": None}


def shown(**changes: Any) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(format_job(Job.model_validate({**JOB, **changes})))
    return console.export_text()


def test_before_the_choice_it_says_what_is_searched_and_after_it_why() -> None:
    searching = shown(resolved_recipe=None, recipe={"preset": "stabilized"}, pilots=PILOTS)
    assert "m, recipe stabilized: pilots find out reinit_layers and max_steps first" in searching
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
    assert "320 steps a run" in found
    assert "reinit_layers 1: it was best." in found


def test_a_pilot_s_line_says_so() -> None:
    said: list[str] = []
    run: dict[str, Any] = {
        "id": "r", "index": 3, "seed": 2**31 + 1, "status": "running", "degenerate": None,
        "attempt": 1, "step": 5, "total_steps": 10, "validation_score": None, "score": None,
        "error": None,
    }  # fmt: skip
    job = FollowedJob(Job.model_validate(JOB))
    _PlainLines(said.append).show_run(job, Run.model_validate({**run, "purpose": "pilot"}))
    _PlainLines(said.append).show_run(
        job, Run.model_validate({**run, "index": 0, "seed": 7, "status": "discarded"})
    )
    assert said == ["pilot 3: running, step 5/10", "seed 7: discarded, step 5/10"]
