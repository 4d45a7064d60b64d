"""The short form of a report that is part of a job object."""

from collections.abc import Sequence

from shared.db.run_scores import ScoredRun
from shared.db.tables import Job
from shared.report.builder import build_report

REPORT_DETAIL_FIELDS = {
    "best_of_n",
    "confusion_matrix",
    "diagnosis",
    "early_discard",
    "job_id",
    "learning_curve",
    "more_seeds",
    "object",
    "per_class",
    "pilots",
    "runs",
    "variance",
}
"""Fields that only the whole report has."""


def build_stability_summary(job: Job, runs: Sequence[ScoredRun]) -> dict[str, object]:
    """Build the report without runs and detailed statistics: lists have many jobs."""
    return build_report(job, runs).model_dump(mode="json", exclude=REPORT_DETAIL_FIELDS)
