"""Scripts of a stack of runs, and their effects on the database."""

from collections.abc import Callable
from itertools import chain, zip_longest
from pathlib import Path

from sqlalchemy import update

from shared.db.session import Database
from shared.db.tables import Run
from shared.domain.errors import Reason
from tests.worker.script import (
    Line,
    ScriptedTrainer,
    ScriptEntry,
    make_training_lines,
    monitor_runs,
)
from worker.runs.outcomes import Outcome

NAN_LOSS = Reason(code="nan_loss", message="The loss is not a number.", param=None)


def interleave_lines(run_ids: list[str]) -> list[Line]:
    lines = zip_longest(*map(make_training_lines, run_ids))
    return list(chain.from_iterable(lines))


def make_raw_line(run_id: str, **line: object) -> Line:
    return {"run_id": run_id, **line}


def list_runs(url: str) -> list[Run]:
    database = Database(url)
    with database.read() as session:
        found = session.query(Run).order_by(Run.index).all()
    database.dispose()
    return found


def make_row_change(url: str, run_id: str, **values: object) -> Callable[[], None]:
    """Return a function that changes the run's row, as another process would."""

    def change() -> None:
        database = Database(url)
        with database.write() as session:
            session.execute(update(Run).where(Run.id == run_id).values(**values))
        database.dispose()

    return change


def monitor_script(
    url: str, folder: Path, script: list[ScriptEntry]
) -> tuple[dict[str, Outcome], ScriptedTrainer]:
    trainer = ScriptedTrainer(script)
    return dict(monitor_runs(url, folder, trainer)), trainer


def make_silence(times: int) -> list[ScriptEntry]:
    return [None] * times
