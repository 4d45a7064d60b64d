"""Cancellation, and runs that cannot succeed."""

import time

from shared.domain.states import ENDED_JOB_STATES
from tests.faults.conftest import REQUEST, SQLITE_IN_FULL_COUNTS, Undisturbed

LONG = {**REQUEST, "recipe": {**REQUEST["recipe"], "max_steps": 200_000}}


def test_cancelling_stops_the_training(undisturbed: Undisturbed) -> None:
    stack = undisturbed.stack
    job_id = stack.create(undisturbed.file_id, **LONG)["id"]
    stack.wait_for_step(job_id, 5)
    answer = stack.http.post(f"/v1/fine_tuning/jobs/{job_id}/cancel")
    assert answer.status_code == 200
    assert answer.json()["status"] in ("running", "cancelled")
    job = stack.wait(job_id, 10)
    assert job["status"] == "cancelled"
    assert job["fine_tuned_model"] is None
    assert {run["status"] for run in stack.runs(job_id)} == {"cancelled"}
    before = [
        len(stack.metrics(job_id, run["id"]).get("train_loss", [])) for run in stack.runs(job_id)
    ]
    time.sleep(1)
    after = [
        len(stack.metrics(job_id, run["id"]).get("train_loss", [])) for run in stack.runs(job_id)
    ]
    assert before == after

    again = stack.http.post(f"/v1/fine_tuning/jobs/{job_id}/cancel")
    assert (again.status_code, again.json()["error"]["code"]) == (400, "job_already_ended")


@SQLITE_IN_FULL_COUNTS
def test_cancelling_without_a_worker(undisturbed: Undisturbed) -> None:
    stack = undisturbed.stack
    stack.terminate("worker")
    try:
        job_id = stack.create(undisturbed.file_id, **LONG)["id"]
        answer = stack.http.post(f"/v1/fine_tuning/jobs/{job_id}/cancel")
        assert answer.json()["status"] == "cancelled"
        assert {run["status"] for run in stack.runs(job_id)} == {"cancelled"}
    finally:
        stack.start("worker")


@SQLITE_IN_FULL_COUNTS
def test_a_run_whose_trainer_always_dies_fails_and_others_continue(
    undisturbed: Undisturbed,
) -> None:
    stack = undisturbed.stack
    poison = stack.create(undisturbed.file_id, **{**LONG, "runs": {"num_seeds": 1}})["id"]
    deadline = time.monotonic() + 120
    while stack.job(poison)["status"] not in ENDED_JOB_STATES and time.monotonic() < deadline:
        for trainer in stack.trainers():
            trainer.kill()  # before it has imported torch, so always at step 0
        time.sleep(0.2)
    job = stack.job(poison)
    assert job["status"] == "failed", stack.logs()
    assert job["error"]["code"] == "trainer_died"
    assert "3 times at step 0" in job["error"]["message"]
    assert [warning["code"] for warning in job["warnings"]].count("run_failed") == 1
    undisturbed.expect_the_same_of(undisturbed.start())
