"""Runs as a report reads them: of many at once, plain rows of what is needed instead of all that a run has."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import null, select
from sqlalchemy.orm import Session

from shared.db.tables import Json, Run
from shared.domain.states import Purpose


@dataclass(slots=True)
class ScoredRun:
    """Columns of ``runs``, under their names."""

    id: str
    job_id: str
    index: int
    seed: int
    init_seed: int
    data_seed: int
    fold: int | None
    status: str
    degenerate: bool | None
    best_step: int | None
    validation_score: float | None
    test_score: float | None
    error: Json | None
    result: Json | None
    """Null where it was not asked for."""


_COLUMNS = [getattr(Run, field.name) for field in fields(ScoredRun)[:-1]]


def scored_runs(
    session: Session, job_ids: Sequence[str], *, results: bool = False
) -> dict[str, list[ScoredRun]]:
    """The main runs of the jobs, by index. ``results`` loads the confusion matrices too, which may be large and are seldom wanted."""
    columns = [*_COLUMNS, Run.result if results else null()]
    found: dict[str, list[ScoredRun]] = {job_id: [] for job_id in job_ids}
    main = select(*columns).where(Run.job_id.in_(job_ids), Run.purpose == Purpose.MAIN)
    for row in session.execute(main.order_by(Run.job_id, Run.index)):
        run = ScoredRun(*row)
        found[run.job_id].append(run)
    return found
