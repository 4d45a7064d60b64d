"""The number of a request's statements does not depend on the number of rows."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.app import create_app
from benchmarks.fill_database import DatabaseContents, DatabaseSize, fill_database
from benchmarks.statements import Statement, record_statements
from shared.db.session import Database
from shared.db.tables import (
    Checkpoint,
    Comparison,
    Event,
    File,
    Job,
    Metric,
    Run,
    WebhookDelivery,
    Worker,
)
from shared.domain import ids
from shared.domain.states import JobState
from shared.infra.settings import Settings
from tests.conftest import new_database

JOBS, COMPARISONS = "/v1/fine_tuning/jobs", "/v1/fine_tuning/comparisons"
LIST_PATHS = (
    f"{JOBS}?limit=100",
    f"{JOBS}?limit=100&metadata[team]=search",
    "/v1/files",
    "/v1/files?purpose=fine-tune",
    "/v1/models",
    COMPARISONS,
    "/v1/queue",
    "/v1/usage",
)
JOB_PATHS = (
    "",
    "/runs",
    "/stability",
    "/stability.csv",
    "/events?limit=1000",
    "/checkpoints?limit=1000",
    "/webhook_deliveries?limit=100",
)
RUN_PATHS = ("", "/metrics", "/metrics?resolution=2&names=train_loss,grad_norm")
MAX_STATEMENTS = 5  # of one request


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_dir: Path
) -> Settings:
    home = tmp_path_factory.mktemp("statements")
    url = new_database(request, request.param, home)
    return Settings(
        home=home,
        database_url=url,
        redis_url=f"redis+socket://{home}/none",
        model_dirs=str(model_dir),
        allowed_hosts="testserver",
    )


@pytest.fixture(scope="module")
def filled(settings: Settings) -> DatabaseContents:
    return fill_database(settings, DatabaseSize(jobs=16, runs=5, long_steps=40), model="tiny-bert")


@pytest.fixture(scope="module")
def http(settings: Settings, filled: DatabaseContents) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        yield client


def test_a_comparison_s_statements_do_not_depend_on_its_jobs(
    http: TestClient, filled: DatabaseContents
) -> None:
    jobs = filled.list_job_ids(JobState.SUCCEEDED)
    engine: Engine = http.app.state.services.database.engine  # type: ignore[attr-defined]
    _count_comparison_statements(http, engine, jobs[:2])  # with what a process asks once
    few, many = (_count_comparison_statements(http, engine, jobs[:count]) for count in (2, 5))
    assert few == many


def test_a_request_s_statements_do_not_depend_on_the_rows(
    http: TestClient, filled: DatabaseContents
) -> None:
    database: Database = http.app.state.services.database  # type: ignore[attr-defined]
    job_id, run_id = filled.long_run
    of_job, of_run = f"{JOBS}/{job_id}", f"{JOBS}/{job_id}/runs/{run_id}"
    paths = [
        *LIST_PATHS,
        *(of_job + rest for rest in JOB_PATHS),
        *(of_run + rest for rest in RUN_PATHS),
    ]
    with database.write() as session:
        _add_rows(session, filled, job_id)
    many = {path: _measure_request(http, database.engine, path) for path in paths}
    with database.write() as session:
        _delete_other_rows(session, job_id, run_id)
    one = {path: _measure_request(http, database.engine, path) for path in paths}
    assert {path: count for path, (count, _) in many.items()} == {
        path: count for path, (count, _) in one.items()
    }
    assert {path for path, (count, _) in one.items() if count > MAX_STATEMENTS} == set()
    shorter = {path for path in paths if one[path][1] < many[path][1]}
    assert {*paths} - shorter <= {of_run, "/v1/usage"}, "their responses do not grow with the rows"


def _measure_request(http: TestClient, engine: Engine, path: str) -> tuple[int, int]:
    """Return the number of statements and the length of the response."""
    with record_statements(engine) as statements:
        response = http.get(path)
    assert response.status_code == 200, response.text
    return _count_own(statements), len(response.content)


def _count_comparison_statements(http: TestClient, engine: Engine, job_ids: list[str]) -> int:
    with record_statements(engine) as statements:
        http.post(COMPARISONS, json={"job_ids": job_ids}).raise_for_status()
    return _count_own(statements)


def _count_own(statements: Sequence[Statement]) -> int:
    """Count a request's statements, without the reading of all keys every two seconds."""
    return sum("FROM api_keys" not in statement.sql for statement in statements)


def _add_rows(session: Session, filled: DatabaseContents, job_id: str) -> None:
    """Add rows of the kinds of which there is only one."""
    own = {"owner_id": "local", "job_id": job_id}
    checkpoint, delivery = (
        {"step": 1, "metrics": {}},
        {"type": "t", "payload": "{}", "status": "delivered"},
    )
    runs = [run for job, run, _ in filled.runs if job == job_id]
    session.execute(
        insert(Checkpoint),
        [own | checkpoint | {"id": ids.make_checkpoint_id(), "run_id": run} for run in runs],
    )
    session.execute(
        insert(WebhookDelivery), [own | delivery | {"id": ids.make_event_id()} for _ in range(5)]
    )
    workers = [
        {"name": f"bench:{n}", "host": "bench", "slots": 1, "devices": ["cpu"]} for n in range(2, 5)
    ]
    session.execute(insert(Worker), workers)


def _delete_other_rows(session: Session, job_id: str, run_id: str) -> None:
    """Keep one run of the job, its metrics up to step 3, and one row of everything else."""
    session.execute(delete(Job).where(Job.id != job_id))
    session.execute(delete(Run).where(Run.job_id == job_id, Run.id != run_id))
    session.execute(delete(Metric).where(Metric.step > 3))
    keys: list[InstrumentedAttribute[str] | InstrumentedAttribute[int]] = [
        Event.seq,
        Checkpoint.id,
        WebhookDelivery.id,
        Comparison.id,
        Worker.name,
        File.id,
    ]
    for key in keys:
        kept = session.scalar(select(key).order_by(key).limit(1))
        session.execute(delete(key.class_).where(key != kept))
