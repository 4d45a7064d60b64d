"""A job that is paused during training and resumed has the numbers of an uninterrupted one."""

from typing import Any

from tests.make import review_csv
from tests.servers import wait_until
from tests.stack import Stack

JOBS = "/v1/fine_tuning/jobs"
STEPS = 3_000  # enough that the request to pause arrives before the end


def test_a_paused_run_goes_on_where_it_stopped(shared_stack: Stack) -> None:
    file_id = shared_stack.upload(review_csv(60))["id"]
    request: dict[str, Any] = {
        "model": "tiny-bert",
        "recipe": {
            "max_steps": STEPS,
            "reinit_layers": 1,
            "learning_rate": 6.4e-4,
            "train_batch_size": 4,
            "precision": "float32",
        },
        "runs": {"num_seeds": 1},
    }
    whole = shared_stack.create(file_id, **request)
    paused = shared_stack.create(file_id, **request)
    shared_stack.wait_for_step(paused["id"], 5)
    shared_stack.http.post(f"{JOBS}/{paused['id']}/pause")
    wait_until(
        lambda: shared_stack.runs(paused["id"])[0]["status"] == "paused", description="the pause"
    )
    [run] = shared_stack.runs(paused["id"])
    assert 5 <= run["step"] < STEPS
    assert shared_stack.job(paused["id"])["status"] == "paused"

    shared_stack.http.post(f"{JOBS}/{paused['id']}/resume")
    ended = [shared_stack.wait(job["id"]) for job in (whole, paused)]
    assert [job["status"] for job in ended] == ["succeeded", "succeeded"]
    [first], [second] = (shared_stack.runs(job["id"]) for job in ended)
    assert (second["attempt"], second["weights_sha256"]) == (2, first["weights_sha256"])
    losses = [
        shared_stack.metrics(run["job_id"], run["id"])["train_loss"] for run in (first, second)
    ]
    assert losses[0] == losses[1]
    messages = [
        event["message"]
        for event in shared_stack.get(f"{JOBS}/{paused['id']}/events", limit=100)["data"]
    ]
    assert f"Run 0 (seed 0) continues from step {run['step']} (attempt 2)." in messages
