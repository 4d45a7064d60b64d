"""A database as years of use would leave it: jobs with their runs, series, events, models,
files and notices.

One job is made through the API; ``filled_rows`` makes the others of it, and the database makes
the series itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi.testclient import TestClient
from sqlalchemy import (
    CTE,
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
from benchmarks.database_rows import EVALUATIONS, Row, RowFactory, Template
from cli.demo_dataset import write_dataset
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
"""Jobs a transaction."""


@dataclass(frozen=True)
class DatabaseSize:
    jobs: int = 1000
    runs: int = 20
    """Of a job."""
    long_steps: int = 70_000
    """Of one run beyond all others, with three points a step."""


@dataclass(frozen=True)
class DatabaseContents:
    """What there is to ask for."""

    jobs: list[tuple[str, JobState]]
    """Ids and states, oldest first."""
    runs: list[tuple[str, str, RunState]]
    """Ids of the job and the run, and the run's state."""
    long_run: tuple[str, str]
    """Ids of a job and of its run with the long series."""
    rows: dict[str, int]
    """By table."""

    def list_job_ids(self, state: JobState) -> list[str]:
        """Ids of the jobs in that state."""
        return [job_id for job_id, job_state in self.jobs if job_state == state]


def fill_database(
    settings: Settings, size: DatabaseSize, model: str = OFFLINE_ENCODER
) -> DatabaseContents:
    """Make the tables in an empty database and fill them with jobs from this base model."""
    apply_migrations(settings.resolved_database_url)
    made = RowFactory(_create_template(settings, size.runs, model), size.jobs, size.runs)
    database = Database(settings.resolved_database_url)
    try:
        for start in range(0, size.jobs, JOBS_PER_TRANSACTION):
            rows = made.build_rows(range(start, min(size.jobs, start + JOBS_PER_TRANSACTION)))
            with database.write() as session:
                for table, new in rows.items():
                    if new:
                        session.execute(insert(table), new)
                Workers(session).record_heartbeat("bench:1", "bench", ["cpu"])
        long_run = next((job, run) for job, run, state in made.runs if state == RunState.SUCCEEDED)
        _add_series(database.engine, long_run[1], size.long_steps)
        return DatabaseContents(
            made.jobs, made.runs, long_run, _count_rows_by_table(database.engine)
        )
    finally:
        database.dispose()


def _create_template(settings: Settings, runs: int, model: str) -> Template:
    """The rows of a job that the API has made; the job itself is taken back."""
    data = settings.home / "docstrings.csv"
    write_dataset(data, 560)
    with TestClient(create_app(settings)) as http:
        answer = http.post("/v1/files", files={"file": (data.name, data.read_bytes())})
        file_id = answer.raise_for_status().json()["id"]
        asked = {"training_file": file_id, "model": model, "runs": {"num_seeds": runs}}
        recipe = {"max_steps": STEPS, "reinit_layers": 1}
        job_id = (
            http.post("/v1/fine_tuning/jobs", json=asked | {"recipe": recipe})
            .raise_for_status()
            .json()["id"]
        )
    database = Database(settings.resolved_database_url)
    with database.write() as session:
        job, file = session.get_one(Job, job_id), session.get_one(File, file_id)
        run = Runs(session).list_by_job(job_id, with_results=True)[0]
        rows = Template(_read_row(job), _read_row(run), _read_row(file))
        session.execute(delete(Job).where(Job.id == job_id))
    database.dispose()
    return rows


def _read_row(instance: DeclarativeBase) -> Row:
    return {
        attribute.key: getattr(instance, attribute.key)
        for attribute in type(instance).__mapper__.column_attrs
    }


def _add_series(engine: Engine, long_run: str, long_steps: int) -> None:
    """Points of every step that a run has taken and of its evaluations, and the rest of the
    long run's.
    """
    run, steps = Run.__table__, _build_number_range(STEPS)
    apart = STEPS // EVALUATIONS
    taken = select(run.c.id, steps.c.number).join(steps, steps.c.number <= run.c.step)
    far = _build_number_range(STEPS + long_steps)
    beyond = select(literal(long_run).label("id"), far.c.number).where(far.c.number > STEPS)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        for rows, names in (
            (taken, STEP_SERIES),
            (taken.where(steps.c.number % apart == 0), EVALUATION_SERIES),
            (beyond, STEP_SERIES),
        ):
            connection.execute(
                insert(Metric).from_select(
                    ["run_id", "name", "step", "value"], _select_points(rows, names)
                )
            )
        connection.execute(update(Run).where(Run.id == long_run).values(step=STEPS + long_steps))


def _build_number_range(last: int) -> CTE:
    """1 to ``last``, as the column ``number``."""
    first = select(literal(1).label("number")).cte("numbers", recursive=True)
    return first.union_all(select(first.c.number + 1).where(first.c.number < last))


def _select_points(rows: Select[str, int], names: Sequence[str]) -> Select[str, str, int, float]:
    """A point of each series for each (id, number), by run and step as they come from a worker."""
    at = rows.subquery()
    named = union_all(*(select(literal(name).label("name")) for name in names)).subquery()
    value = 0.3 + 1.0 / at.c.number
    query = select(at.c.id, named.c.name, at.c.number, value).join_from(at, named, true())
    return query.order_by(at.c.id, at.c.number, named.c.name)


def _count_rows_by_table(engine: Engine) -> dict[str, int]:
    """Rows by table, once the database knows its tables as it does after a while."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(
            text("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE")
        )
    with engine.connect() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }
