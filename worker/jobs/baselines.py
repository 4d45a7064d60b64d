"""A job's baselines once the trainer has scored them: beside the majority answer on the job's
row, and in words.
"""

from typing import Any

from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.runs import Runs
from shared.db.tables import Job
from shared.domain.states import RunState
from shared.report.formatting import format_baseline, format_number
from worker.runs.assignment import Assignment
from worker.runs.outcomes import Scored

BaselineScores = dict[str, list[dict[str, Any]]]
"""Split -> list of {name, score}, as ``jobs.baselines`` has it."""


def store_scores(session: Session, assignment: Assignment, outcome: Scored) -> None:
    """The run's last move and what it found, in the caller's transaction. Raises FenceLost."""
    scores: BaselineScores = outcome.result["scores"]
    # the job before the run, as a wish to cancel locks them: in the other order the two could
    # wait for each other
    job = session.get_one(Job, assignment.job.id, with_for_update=True, populate_existing=True)
    Runs(session).end(
        assignment.lease,
        RunState.SUCCEEDED,
        step=assignment.run.total_steps,
        result=outcome.result,
        deaths=0,
    )
    job.baselines = merge_scores(job.baselines, scores)
    message = describe_scores(
        scores,
        job.metric,
        fitted_rows=outcome.result["rows"],
        total_rows=job.dataset["rows"]["train"],
    )
    Events(session).add(job, message, run_id=assignment.run.id, data={"baselines": scores})


def merge_scores(known: BaselineScores, found: BaselineScores) -> BaselineScores:
    """What was known before, then what was found; a name found again takes the place of the one
    known.
    """
    both = dict(known)
    for split, scores in found.items():
        names = {score["name"] for score in scores}
        both[split] = [
            score for score in known.get(split, []) if score["name"] not in names
        ] + scores
    return both


def describe_scores(
    scores: BaselineScores, metric: str, *, fitted_rows: int, total_rows: int
) -> str:
    split = "test" if "test" in scores else "validation"
    reached = [
        f"{format_baseline(entry['name'])} reaches {metric} {format_number(entry['score'])}"
        for entry in scores[split]
    ]
    fitted = (
        ""
        if fitted_rows == total_rows
        else f", fitted on {fitted_rows:,} of the {total_rows:,} training rows"
    )
    return f"Baselines on the {split} rows{fitted}: {', '.join(reached)}."
