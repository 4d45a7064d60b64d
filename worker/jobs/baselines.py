"""Storage of a job's baseline scores: in the job's row and as an event."""

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.runs import Runs
from shared.db.tables import Job
from shared.domain.job_facts import BaselineScores
from shared.domain.states import RunState
from shared.metrics.run_result import BaselinesResult
from shared.report.formatting import format_baseline, format_number
from worker.runs.assignment import Assignment
from worker.runs.outcomes import Scored


def store_scores(session: Session, assignment: Assignment, outcome: Scored) -> None:
    """End the run and store its scores in the caller's transaction. Raises FenceLost."""
    scores = outcome.result.scores
    # locks the job before the run, as a cancellation does: in the other order the two could
    # deadlock
    job = session.get_one(Job, assignment.job.id, with_for_update=True, populate_existing=True)
    Runs(session).finish_run(
        assignment.lease,
        RunState.SUCCEEDED,
        step=assignment.run.total_steps,
        result=BaselinesResult(scores=scores, rows=outcome.result.rows),
        deaths=0,
    )
    job.baselines = merge_scores(job.baselines, scores)
    message = describe_scores(
        scores,
        job.metric,
        fitted_rows=outcome.result.rows,
        total_rows=job.dataset.rows.train,
    )
    Events(session).add(
        job,
        message,
        run_id=assignment.run.id,
        data={"baselines": TypeAdapter(BaselineScores).dump_python(scores)},
    )


def merge_scores(stored: BaselineScores, added: BaselineScores) -> BaselineScores:
    """Merge the scores; an added score replaces the stored one of the same name."""
    merged = dict(stored)
    for split, entries in added.items():
        names = {entry.name for entry in entries}
        kept = [entry for entry in stored.get(split, []) if entry.name not in names]
        merged[split] = kept + entries
    return merged


def describe_scores(
    scores: BaselineScores, metric: str, *, fitted_rows: int, total_rows: int
) -> str:
    """Describe the scores on the test rows, or on the validation rows if there is no test split."""
    split = "test" if "test" in scores else "validation"
    sentences = [
        f"{format_baseline(entry.name)} reaches {metric} {format_number(entry.score)}"
        for entry in scores[split]
    ]
    fitted = (
        ""
        if fitted_rows == total_rows
        else f", fitted on {fitted_rows:,} of the {total_rows:,} training rows"
    )
    return f"Baselines on the {split} rows{fitted}: {', '.join(sentences)}."
