"""Rows of a made-up database: their types, and the rows that belong to a job's events."""

from typing import Any, NamedTuple

from shared.db.tables import Base, Event
from shared.domain.errors import Reason

Row = dict[str, Any]
"""Values by column, as SQLAlchemy inserts them."""
Rows = dict[type[Base], list[Row]]

FAILURE = Reason(code="out_of_memory", message="The trainer process ran out of memory.", param=None)


class Template(NamedTuple):
    """Rows of a job that the API created, of one of its runs, and of its training file."""

    job: Row
    run: Row
    file: Row


def get_max_steps(job: Row) -> int:
    """Return the number of steps of the job's runs."""
    steps: int = job["resolved_recipe"].max_steps
    return steps


def add_event(rows: Rows, job: Row, run: Row | None, message: str, data: Row | None = None) -> None:
    """Add an event with this message; with ``data`` it is a metrics event."""
    own = {
        "job_id": job["id"],
        "owner_id": job["owner_id"],
        "run_id": None if run is None else run["id"],
    }
    kind = {"type": "message" if data is None else "metrics", "level": "info", "data": data}
    rows[Event].append(own | kind | {"message": message, "created_at": job["created_at"]})


def add_evaluation_event(
    rows: Rows, job: Row, run: Row, step: int, metrics: dict[str, float | None]
) -> None:
    """Add the event of an evaluation of the run at this step."""
    message = f"Step {step}/{get_max_steps(job)}, seed {run['seed']}: validation loss=0.4000"
    own = {"step": step, "train_loss": 0.3, "valid_loss": 0.4}
    scores = {f"valid_{name}": value for name, value in metrics.items()}
    add_event(rows, job, run, message, own | scores | {"run_id": run["id"], "seed": run["seed"]})
