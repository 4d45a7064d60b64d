"""Filling a database with years of made-up use: jobs, runs, series, events, models and files.

The API creates one job; ``database_jobs`` copies it, and the database generates the series.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi.testclient import TestClient
from sqlalchemy import (
    CTE,
    Connection,
    Engine,
    Select,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    true,
    union_all,
    update,
)
from sqlalchemy.orm import DeclarativeBase

from api.app import create_app
from benchmarks.database_jobs import RowFactory
from benchmarks.database_rows import Row, Template
from benchmarks.database_runs import EVALUATIONS
from shared.datasets.sample_dataset import write_dataset
from shared.db.migrate import apply_migrations
from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import Base, File, Job, Metric, Run
from shared.db.workers import Workers
from shared.domain.states import JobState, RunState
from shared.encoders.catalogue import OFFLINE_ENCODER
from shared.infra.settings import Settings

STEPS = 68
STEP_SERIES = ("train_loss", "learning_rate", "grad_norm")
EVALUATION_SERIES = (
    "valid_loss",
    "valid_accuracy",
    "valid_balanced_accuracy",
    "valid_f1_macro",
    "valid_f1_micro",
    "valid_mcc",
)
JOBS_PER_TRANSACTION = 50


@dataclass(frozen=True)
class DatabaseSize:
    """The size of a made-up database."""

    jobs: int = 1000
    runs: int = 20
    """Runs per job."""
    long_steps: int = 70_000
    """Additional steps of one long run, with three points each."""


@dataclass(frozen=True)
class DatabaseContents:
    """Jobs and runs of a filled database."""

    jobs: list[tuple[str, JobState]]
    """Ids and states, oldest first."""
    runs: list[tuple[str, str, RunState]]
    """Ids of the job and of the run, and the run's state."""
    long_run: tuple[str, str]
    """Ids of the long run's job and of the run."""
    rows: dict[str, int]
    """Number of rows by table."""

    def list_job_ids(self, state: JobState) -> list[str]:
        """List the ids of the jobs in this state."""
        return [job_id for job_id, job_state in self.jobs if job_state == state]


def fill_database(
    settings: Settings, size: DatabaseSize, model: str = OFFLINE_ENCODER
) -> DatabaseContents:
    """Create the tables in an empty database and fill them with jobs of this base model."""
    apply_migrations(settings.resolved_database_url)
    factory = RowFactory(_create_template(settings, size.runs, model), size.jobs, size.runs)
    database = Database(settings.resolved_database_url)
    try:
        _insert_jobs(database, factory, size.jobs)
        long_run = next(
            (job, run) for job, run, state in factory.runs if state == RunState.SUCCEEDED
        )
        _add_series(database.engine, long_run[1], size.long_steps)
        counts = _count_rows_by_table(database.engine)
    finally:
        database.dispose()
    return DatabaseContents(factory.jobs, factory.runs, long_run, counts)


def _insert_jobs(database: Database, factory: RowFactory, count: int) -> None:
    for start in range(0, count, JOBS_PER_TRANSACTION):
        rows = factory.build_rows(range(start, min(count, start + JOBS_PER_TRANSACTION)))
        with database.write() as session:
            for table, table_rows in rows.items():
                if table_rows:
                    session.execute(insert(table), table_rows)
            Workers(session).record_heartbeat("bench:1", "bench", ["cpu"])


def _create_template(settings: Settings, runs: int, model: str) -> Template:
    """Create a job through the API, read its rows and delete the job."""
    job_id, file_id = _create_job(settings, runs, model)
    database = Database(settings.resolved_database_url)
    with database.write() as session:
        job, file = session.get_one(Job, job_id), session.get_one(File, file_id)
        run = Runs(session).list_by_job(job_id, with_results=True)[0]
        template = Template(_read_row(job), _read_row(run), _read_row(file))
        session.execute(delete(Job).where(Job.id == job_id))
    database.dispose()
    return template


def _create_job(settings: Settings, runs: int, model: str) -> tuple[str, str]:
    """Create a job through the API; returns the ids of the job and of its training file."""
    data = settings.home / "docstrings.csv"
    write_dataset(data, 560)
    with TestClient(create_app(settings), base_url="http://localhost") as http:
        answer = http.post("/v1/files", files={"file": (data.name, data.read_bytes())})
        file_id = answer.raise_for_status().json()["id"]
        body = {
            "training_file": file_id,
            "model": model,
            "runs": {"num_seeds": runs},
            "recipe": {"max_steps": STEPS, "reinit_layers": 1, "learning_rate": 6.4e-4},
        }
        answer = http.post("/v1/fine_tuning/jobs", json=body)
        return answer.raise_for_status().json()["id"], file_id


def _read_row(instance: DeclarativeBase) -> Row:
    return {
        attribute.key: getattr(instance, attribute.key)
        for attribute in type(instance).__mapper__.column_attrs
    }


def _add_series(engine: Engine, long_run: str, long_steps: int) -> None:
    """Insert the points of every run's steps and evaluations, and the long run's further steps.

    The database generates the points itself.
    """
    run, steps = Run.__table__, _build_number_range(STEPS)
    run_steps = select(run.c.id, steps.c.number).join(steps, steps.c.number <= run.c.step)
    evaluations = run_steps.where(steps.c.number % (STEPS // EVALUATIONS) == 0)
    all_steps = _build_number_range(STEPS + long_steps)
    further_steps = select(literal(long_run).label("id"), all_steps.c.number).where(
        all_steps.c.number > STEPS
    )
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        _insert_points(connection, run_steps, STEP_SERIES)
        _insert_points(connection, evaluations, EVALUATION_SERIES)
        _insert_points(connection, further_steps, STEP_SERIES)
        connection.execute(update(Run).where(Run.id == long_run).values(step=STEPS + long_steps))


def _insert_points(connection: Connection, steps: Select[str, int], names: Sequence[str]) -> None:
    columns = ["run_id", "name", "step", "value"]
    connection.execute(insert(Metric).from_select(columns, _select_points(steps, names)))


def _build_number_range(last: int) -> CTE:
    """Build a table of the numbers from 1 to ``last``, in the column ``number``."""
    first = select(literal(1).label("number")).cte("numbers", recursive=True)
    return first.union_all(select(first.c.number + 1).where(first.c.number < last))


def _select_points(steps: Select[str, int], names: Sequence[str]) -> Select[str, str, int, float]:
    """Select one point per series and step, in the order in which a worker inserts them."""
    at = steps.subquery()
    series = union_all(*(select(literal(name).label("name")) for name in names)).subquery()
    value = 0.3 + 1.0 / at.c.number
    query = select(at.c.id, series.c.name, at.c.number, value).join_from(at, series, true())
    return query.order_by(at.c.id, at.c.number, series.c.name)


def _count_rows_by_table(engine: Engine) -> dict[str, int]:
    """Update the planner's statistics and count the rows of each table."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(
            text("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE")
        )
    with engine.connect() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }
