"""PostgreSQL plans frequent queries, and queries over all rows, with an index."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks.statements import record_statements
from shared.db import files, fingerprint, queue, throughput, uploads, usage
from shared.db.comparisons import Comparisons
from shared.db.counts import count_runs_by_state
from shared.db.deliveries import Deliveries
from shared.db.events import Events
from shared.db.files import Files
from shared.db.idempotency import IdempotencyKeys
from shared.db.job_advances import JobAdvances
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics, Point
from shared.db.migrate import apply_migrations
from shared.db.models import Checkpoints, Models
from shared.db.pagination import PageRequest
from shared.db.queue_turns import count_runs_ahead, list_owners_in_turn
from shared.db.recovery import RunRecovery
from shared.db.run_requests import RunRequests, is_in_training
from shared.db.run_scores import list_scored_runs
from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.stack_claim import StackClaimer
from shared.db.tables import Job, Model
from shared.domain import ids
from tests.conftest import new_database
from tests.rows import add_job

JOB, RUN = "ftjob-a", "ftrun-a"


def page_after(prefix: str) -> PageRequest:
    return PageRequest(ids.make_id(prefix), 20)


JOB_PAGE_REQUEST = page_after(ids.JOB_PREFIX)
JOB_PAGE, FILE_PAGE = "ix_jobs_owner_id_id", "ix_files_owner_id_id"
BY_OWNER = "ix_runs_status_held_owner_id_job_id_index"
OF_JOB, BY_STATE = "ix_runs_job_id_purpose_index", "ix_runs_status_"
Query = Callable[[Session], object]

READS: list[tuple[Query, str]] = [
    # pages
    (lambda s: Jobs(s).list_page("local", JOB_PAGE_REQUEST, {}), JOB_PAGE),
    (lambda s: Jobs(s).list_page("local", JOB_PAGE_REQUEST, {"team": "films"}), JOB_PAGE),
    (lambda s: Jobs(s).list_page("local", JOB_PAGE_REQUEST._replace(after=None), None), JOB_PAGE),
    (lambda s: Files(s, "local").list_page(page_after(ids.FILE_PREFIX), None), FILE_PAGE),
    (
        lambda s: Files(s, "local").list_page(page_after(ids.FILE_PREFIX), "fine-tune"),
        "ix_files_owner_id_purpose_id",
    ),
    (
        lambda s: Events(s).list_page(JOB, PageRequest("ftevent-000000000000000a", 9)),
        "ix_events_job_id_seq",
    ),
    (lambda s: Events(s).list_after(JOB, 5, 10), "ix_events_job_id_seq"),
    (
        lambda s: Checkpoints(s).list_page(JOB, page_after(ids.CHECKPOINT_PREFIX)),
        "ix_checkpoints_job_id_id",
    ),
    (
        lambda s: Deliveries(s).list_page(JOB, page_after(ids.NOTICE_PREFIX)),
        "ix_webhook_deliveries_job_id_id",
    ),
    (
        lambda s: Comparisons(s, "local").list_page(page_after(ids.COMPARISON_PREFIX)),
        "ix_comparisons_owner_id_id",
    ),
    (lambda s: Models(s, "local").list_all(), "ix_models_owner_id_created_at"),
    # a job and its runs
    (lambda s: Runs(s).list_by_job(JOB), OF_JOB),
    (lambda s: list_scored_runs(s, [JOB, "ftjob-b"]), OF_JOB),
    (lambda s: count_runs_by_state(s, [JOB, "ftjob-b"]), OF_JOB),
    (lambda s: is_in_training(s, JOB), BY_STATE),
    (lambda s: Models(s, "local").list_by_job(JOB), "ix_models_"),
    (lambda s: Models(s, "local").find_base_model(Job(model="ft:m:local::a")), "pk_models"),
    (lambda s: Metrics(s).get_downsampled_series(RUN), "pk_metrics"),
    (lambda s: Metrics(s).get_downsampled_series(RUN, names=["a"], step_from=3), "pk_metrics"),
    (lambda s: Metrics(s).get_series_by_run([RUN, "ftrun-b"], "a"), "pk_metrics"),
    (lambda s: Metrics(s).get_values_at_steps({RUN: 3, "ftrun-b": 4}, "a"), "pk_metrics"),
    # over everything
    (lambda s: count_runs_ahead(s, "local", JOB), BY_OWNER),
    (list_owners_in_turn, BY_OWNER),
    (lambda s: queue.count_queue(s, "local"), BY_STATE),
    (lambda s: queue.list_runs_in_training(s, "local"), BY_STATE),
    (queue.list_busy_slots, BY_STATE),
    (lambda s: usage.list_model_usage(s, "local", 1, 2), "ix_runs_owner_id_finished_at"),
    (
        lambda s: throughput.measure_throughput(s, "local", "m", "float32", "x"),
        "ix_jobs_owner_id_model_id",
    ),
    (
        lambda s: IdempotencyKeys(s).find_recent_by_digest("local", "digest", 900.0),
        "ix_jobs_owner_id_request_sha256_created_at",
    ),
    (lambda s: Models(s, "local").find_dependent_job_id(Model(id="m", run_id=RUN)), "ix_jobs_"),
    (lambda s: files.is_digest_used(s, "digest"), "ix_files_sha256"),
    # the sweeper's and the workers'
    (lambda s: RunRecovery(s).list_ids_to_notify(30.0, 100), BY_STATE),
    (lambda s: RunRecovery(s).release_expired_leases(), BY_STATE),
    (lambda s: JobAdvances(s).list_ready_to_advance(100), "ix_jobs_status"),
    (lambda s: Deliveries(s).has_due(), "ix_webhook_deliveries_status_next_attempt_at"),
    (lambda s: Deliveries(s).claim_next(60.0), "ix_webhook_deliveries_status_next_attempt_at"),
    (lambda s: files.list_expired_files(s, 100), "ix_files_expires_at"),
    (
        lambda s: uploads.list_overdue_uploads(s, 100, for_update=True),
        "ix_uploads_status_expires_at",
    ),
]
"""What is asked, and the index that one of the plans is to name."""


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = new_database(request, "postgresql", tmp_path)
    apply_migrations(url)
    database = Database(url)
    yield database
    database.dispose()


def explain_statements(database: Database, query: Query) -> list[str]:
    """Return the plans of the query's statements, except plain insertions, for large tables."""
    with record_statements(database.engine) as made, database.write() as session:
        query(session)
    found = []
    with database.engine.connect() as connection:
        connection.execute(text("SET enable_seqscan = off"))
        for sql, parameters in (
            statement for statement in made if not statement.sql.startswith("INSERT")
        ):
            rows = connection.exec_driver_sql(f"EXPLAIN {sql}", parameters)
            found.append("\n".join(row[0] for row in rows))
    return found


def test_reads_use_an_index(database: Database) -> None:
    for query, index in READS:
        found = explain_statements(database, query)
        assert any(index in plan for plan in found), (index, found)
        assert not any("Seq Scan" in plan for plan in found), found


def test_a_run_is_claimed_recorded_and_read_from_indexes(database: Database) -> None:
    job = add_job(database, runs=3)

    def follow_run(session: Session) -> None:
        runs = Runs(session)
        hold = runs.claim_next("w:0", 60.0)
        assert hold is not None
        assert StackClaimer(session, "w:0", 60.0).claim_runs(hold, max_size=2, slot_count=1)
        points = [
            Point(name, step, 1.0)
            for name in ("all", "gaps")
            for step in range(1, 40)
            if name == "all" or step % 2
        ]
        runs.record_progress(hold, 60.0, points, step=39)
        runs.get_flags([hold])
        thinned = Metrics(session).get_downsampled_series(hold.run_id, resolution=9)
        assert [len(series.points) for series in thinned.values()] == [9, 9]
        RunRequests(session).cancel_runs(job.id)
        fingerprint.compute_fingerprint(session, job.id, "local")
        throughput.measure_throughput(session, "local", "m", "float32", "x")

    found = explain_statements(database, follow_run)
    assert len(found) > 12
    assert not any("Seq Scan" in plan for plan in found), found


def test_the_next_run_is_found_without_sorting_the_queue(database: Database) -> None:
    add_job(database, runs=3)
    plans = explain_statements(
        database, lambda session: Runs(session).claim_next("w:0", 60.0, preferred_run_id=RUN)
    )
    oldest = [plan for plan in plans if "LockRows" in plan]
    assert len(oldest) == 1
    assert "Presorted Key: job_id" in oldest[0] or BY_OWNER in oldest[0], plans
    assert "Recursive Union" in plans[0]
    assert not any("Seq Scan on runs" in plan for plan in plans), plans
