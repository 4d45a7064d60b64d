"""kill -9 of each process during a run: the results stay the same."""

import signal

import pytest

from tests.faults.conftest import SQLITE_IN_FULL_COUNTS, Undisturbed
from tests.servers import PostgresServer, RedisServer
from tests.stack import Stack


def events(stack: Stack, job_id: str) -> str:
    listed = stack.get(f"/v1/fine_tuning/jobs/{job_id}/events", limit=1000)["data"]
    return "\n".join(event["message"] for event in reversed(listed))


@SQLITE_IN_FULL_COUNTS
@pytest.mark.parametrize("step", [3, 120])
def test_the_trainer(undisturbed: Undisturbed, step: int) -> None:
    job_id = undisturbed.start()
    undisturbed.stack.wait_for_step(job_id, step)
    for trainer in undisturbed.stack.trainers():
        trainer.kill()
    undisturbed.expect_the_same_of(job_id)
    assert "was killed (signal 9)" in events(undisturbed.stack, job_id)
    assert max(run["attempt"] for run in undisturbed.stack.runs(job_id)) == 2


def test_a_worker_child(undisturbed: Undisturbed) -> None:
    job_id = undisturbed.start()
    undisturbed.stack.wait_for_step(job_id, 10)
    trainers = undisturbed.stack.trainers()
    for child in undisturbed.stack.children():
        child.kill()
    for trainer in trainers:
        trainer.wait(timeout=10)  # the kernel kills the trainer with its parent
    undisturbed.expect_the_same_of(job_id)
    assert "did not renew its lease" in events(undisturbed.stack, job_id)


def test_the_whole_worker(undisturbed: Undisturbed) -> None:
    job_id = undisturbed.start()
    undisturbed.stack.wait_for_step(job_id, 50)
    undisturbed.stack.kill("worker")
    undisturbed.stack.start("worker")
    undisturbed.expect_the_same_of(job_id)


@SQLITE_IN_FULL_COUNTS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_worker_that_shuts_down_requeues_its_runs_at_once(
    undisturbed: Undisturbed, number: int
) -> None:
    job_id = undisturbed.start()
    undisturbed.stack.wait_for_step(job_id, 20)
    undisturbed.stack.terminate("worker", number)
    runs = undisturbed.stack.runs(job_id)
    assert {run["status"] for run in runs} == {"queued"}
    assert "its worker is shutting down" in events(undisturbed.stack, job_id)
    undisturbed.stack.start("worker")
    undisturbed.expect_the_same_of(job_id)


def test_the_api_and_the_sweeper(undisturbed: Undisturbed) -> None:
    job_id = undisturbed.start()
    undisturbed.stack.wait_for_step(job_id, 20)
    undisturbed.stack.kill("api")
    undisturbed.stack.kill("worker.maintenance.sweeper")
    undisturbed.stack.start("api", "worker.maintenance.sweeper")
    undisturbed.expect_the_same_of(job_id)


def test_redis(undisturbed: Undisturbed, own_redis: RedisServer) -> None:
    job_id = undisturbed.start()
    undisturbed.stack.wait_for_step(job_id, 20)
    own_redis.kill()
    own_redis.start()
    undisturbed.expect_the_same_of(job_id)


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True, scope="session")
def test_postgresql(undisturbed: Undisturbed, postgres: PostgresServer) -> None:
    job_id = undisturbed.start()
    undisturbed.stack.wait_for_step(job_id, 20)
    postgres.kill()
    postgres.start()
    undisturbed.expect_the_same_of(job_id)
