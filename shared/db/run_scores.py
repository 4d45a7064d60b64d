"""Runs as a report reads them: plain rows with the needed columns, many jobs at once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import null, select
from sqlalchemy.orm import Session

from shared.db.tables import Run
from shared.domain.errors import Reason
from shared.domain.states import Purpose
from shared.metrics.run_result import BaselinesResult, RungResult, TrainedResult


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
    error: Reason | None
    result: TrainedResult | RungResult | BaselinesResult | None
    """Null unless it was asked for."""


_COLUMNS = [getattr(Run, field.name) for field in fields(ScoredRun)[:-1]]


def list_scored_runs(
    session: Session, job_ids: Sequence[str], *, with_results: bool = False
) -> dict[str, list[ScoredRun]]:
    """List the main runs of the jobs, by index. ``with_results`` also loads the confusion
    matrices, which may be large.
    """
    columns = [*_COLUMNS, Run.result if with_results else null()]
    found: dict[str, list[ScoredRun]] = {job_id: [] for job_id in job_ids}
    main = select(*columns).where(Run.job_id.in_(job_ids), Run.purpose == Purpose.MAIN)
    for row in session.execute(main.order_by(Run.job_id, Run.index)):
        run = ScoredRun(*row)
        found[run.job_id].append(run)
    return found
