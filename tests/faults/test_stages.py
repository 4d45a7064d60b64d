"""kill -9 in every stage of a job with pilots and early discard: the results stay the same."""

from functools import partial
from typing import Any

import pytest

from tests.faults.conftest import Undisturbed
from tests.servers import wait_until
from tests.stack import Stack

STAGED: dict[str, Any] = {
    "model": "tiny-bert",
    "recipe": {"max_steps": 120, "learning_rate": 0.002, "train_batch_size": 8},
    "early_discard": {"start": 4, "keep": 2, "at_fraction": 0.5},
}
DECIDED = ("resolved_recipe", "recipe_notes", "early_discard", "runs_summary", "trained_tokens")


def runs(stack: Stack, job_id: str, purpose: str) -> list[dict[str, Any]]:
    return list(stack.get(f"/v1/fine_tuning/jobs/{job_id}/runs", purpose=purpose)["data"])


def everything(stack: Stack, job_id: str) -> list[Any]:
    """Return the job's decisions, and every run's weights and metrics."""
    found = [
        (
            run["status"],
            run["weights_sha256"],
            run["validation_score"],
            stack.metrics(job_id, run["id"]),
        )
        for purpose in ("pilot", "main")
        for run in runs(stack, job_id, purpose)
    ]
    job = stack.job(job_id)
    return [*found, *(job[name] for name in DECIDED)]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_worker_at_every_stage(undisturbed: Undisturbed) -> None:
    stack = undisturbed.stack
    quiet = stack.create(undisturbed.file_id, **STAGED)["id"]
    assert stack.wait(quiet)["status"] == "succeeded", stack.logs()

    job_id = stack.create(undisturbed.file_id, **STAGED)["id"]

    def reached(purpose: str, *states: str) -> bool:
        return any(
            run["status"] in states and run["step"] > 0 for run in runs(stack, job_id, purpose)
        )

    # or later: on an idle machine a stage may end before the test polls
    moments = (
        ("pilot", ("running", "succeeded")),
        ("pilot", ("succeeded",)),
        ("main", ("running", "paused", "discarded", "succeeded")),
        ("main", ("paused", "discarded", "succeeded")),
        ("main", ("discarded",)),
    )
    for purpose, states in moments:
        wait_until(partial(reached, purpose, *states), 120, f"{purpose} {states}")
        stack.kill("worker")
        stack.start("worker")
    assert stack.wait(job_id, 180)["status"] == "succeeded", stack.logs()
    assert everything(stack, job_id) == everything(stack, quiet)
    assert stack.job(job_id)["runs_summary"]["discarded"] == 2
