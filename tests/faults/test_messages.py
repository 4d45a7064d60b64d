"""Duplicate, lost and unknown messages: only the database decides what is trained."""

from shared.db.jobs import JOB_ADVANCE, RUN_WAKE
from shared.infra.broker import BrokerUnreachable, JobQueue
from tests.faults.conftest import SQLITE_IN_FULL_COUNTS, Undisturbed
from tests.servers import RedisServer, wait_until


@SQLITE_IN_FULL_COUNTS
def test_duplicate_messages_change_nothing(
    undisturbed: Undisturbed, own_redis: RedisServer
) -> None:
    job_id = undisturbed.start()
    bell = JobQueue(own_redis.url)
    for run in undisturbed.stack.runs(job_id):
        for _ in range(30):
            assert bell.notify((RUN_WAKE, run["id"]))
    for _ in range(10):
        assert bell.notify((JOB_ADVANCE, job_id))
    undisturbed.expect_the_same_of(job_id)
    assert [run["attempt"] for run in undisturbed.stack.runs(job_id)] == [1, 1, 1]


@SQLITE_IN_FULL_COUNTS
def test_lost_messages_are_sent_again(undisturbed: Undisturbed, own_redis: RedisServer) -> None:
    job_id = undisturbed.start()
    own_redis.client().flushall()
    undisturbed.expect_the_same_of(job_id)


@SQLITE_IN_FULL_COUNTS
def test_a_job_is_accepted_without_redis_and_starts_when_redis_is_back(
    undisturbed: Undisturbed, own_redis: RedisServer
) -> None:
    own_redis.kill()
    job_id = undisturbed.start()
    assert undisturbed.stack.http.get("/ready").status_code == 503
    own_redis.start()
    undisturbed.expect_the_same_of(job_id)


@SQLITE_IN_FULL_COUNTS
def test_messages_about_unknown_rows_are_dropped(
    undisturbed: Undisturbed, own_redis: RedisServer
) -> None:
    bell = JobQueue(own_redis.url)
    bell.notify((RUN_WAKE, "ftrun-unknown"))
    bell.notify((JOB_ADVANCE, "ftjob-unknown"))
    bell.notify(("no.such.task", "x"))

    def taken() -> bool:
        try:
            return bell.count_messages() == 0
        except BrokerUnreachable:
            return False

    wait_until(taken, description="the queue to be emptied")
    undisturbed.expect_the_same_of(undisturbed.start())
