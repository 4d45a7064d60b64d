"""Faults while a slot trains a stack of four runs: each run ends once, with its own outcome."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from shared.db.session import Database
from shared.db.tables import Run
from tests.conftest import new_database
from tests.faults.conftest import REQUEST
from tests.make import review_csv
from tests.servers import RedisServer, wait_until
from tests.stack import Stack, running_stack

STEPS = 300
SEVERAL = {**REQUEST, "recipe": {**REQUEST["recipe"], "max_steps": STEPS}, "runs": {"num_seeds": 4}}
ENDLESS = {**SEVERAL, "recipe": {**REQUEST["recipe"], "max_steps": 200_000}}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def stack(
    request: pytest.FixtureRequest, tmp_path: Path, own_redis: RedisServer, model_dir: Path
) -> Iterator[Stack]:
    own_redis.client().flushall()
    url = new_database(request, request.param, tmp_path)
    with running_stack(
        tmp_path / "home", url, own_redis, model_dir, slots=1, EVENKEEL_STACK="4"
    ) as running:
        yield running


def start(stack: Stack, request: dict[str, object]) -> str:
    """Start a job and wait until its runs are in training, after its baselines."""
    file = stack.upload(review_csv(80))
    job_id = str(stack.create(file["id"], **request)["id"])
    stack.wait_for_step(job_id, 20)
    assert [run["status"] for run in stack.runs(job_id)] == ["running"] * 4
    return job_id


def said(stack: Stack, job_id: str) -> str:
    listed = stack.get(f"/v1/fine_tuning/jobs/{job_id}/events", limit=1000)["data"]
    return "\n".join(event["message"] for event in listed)


def expect_all_succeed(stack: Stack, job_id: str) -> list[dict[str, Any]]:
    """Assert that all runs succeed with each point stored once; return the runs."""
    job = stack.wait(job_id, 180)
    assert job["status"] == "succeeded", stack.logs()
    runs = stack.runs(job_id)
    assert [run["status"] for run in runs] == ["succeeded"] * 4
    for run in runs:
        series = stack.metrics(job_id, run["id"])
        assert [step for step, _ in series["train_loss"]] == list(range(1, STEPS + 1))
        assert len(series["valid_loss"]) == len({step for step, _ in series["valid_loss"]}) == 10
    assert job["stability"]["n"] == 4
    return runs


def test_the_trainer_and_the_worker_are_killed(stack: Stack) -> None:
    job_id = start(stack, SEVERAL)
    stack.kill("worker")
    stack.start("worker")
    wait_until(
        lambda: said(stack, job_id).count("did not renew its lease") == 4,
        description="all to be taken back",
    )
    stack.wait_for_step(job_id, 20)
    for trainer in stack.trainers():
        trainer.kill()
    attempts = [run["attempt"] for run in expect_all_succeed(stack, job_id)]
    assert max(attempts) == 3
    assert said(stack, job_id).count("starts over") == attempts.count(3)


def test_one_run_is_cancelled_and_then_the_worker_shuts_down(stack: Stack) -> None:
    job_id = start(stack, ENDLESS)
    database = Database(stack.database_url)
    with database.write() as session:
        session.execute(
            update(Run).where(Run.job_id == job_id, Run.index == 2).values(cancel_requested=True)
        )
    database.dispose()
    wait_until(
        lambda: (
            [run["status"] for run in stack.runs(job_id)]
            == ["running", "running", "cancelled", "running"]
        ),
        description="one to be cancelled and the others to be in training",
    )
    # on a busy machine a step may last longer than the run has to stop
    was_killed = "another run did not stop in time" in said(stack, job_id)
    assert was_killed or {run["attempt"] for run in stack.runs(job_id)} == {1}

    stack.terminate("worker")
    assert [run["status"] for run in stack.runs(job_id)] == [
        "queued",
        "queued",
        "cancelled",
        "queued",
    ]
    assert said(stack, job_id).count("its worker is shutting down") == 3


@pytest.mark.long
def test_a_job_is_cancelled_and_the_next_one_trained(stack: Stack) -> None:
    job_id = start(stack, ENDLESS)
    file = stack.upload(review_csv(60))
    next_id = str(
        stack.create(file["id"], **{**SEVERAL, "recipe": {**REQUEST["recipe"], "max_steps": 20}})[
            "id"
        ]
    )
    stack.http.post(f"/v1/fine_tuning/jobs/{job_id}/cancel")
    assert stack.wait(job_id, 10)["status"] == "cancelled"
    assert {run["status"] for run in stack.runs(job_id)} == {"cancelled"}
    assert stack.wait(next_id)["status"] == "succeeded", stack.logs()
