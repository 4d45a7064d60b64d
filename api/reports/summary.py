"""The short form of a report that is part of a job object."""

from shared.report import StabilityReport

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


def summarize_report(report: StabilityReport) -> dict[str, object]:
    """Return the report without runs and detailed statistics: lists have many jobs."""
    return report.model_dump(mode="json", exclude=REPORT_DETAIL_FIELDS)
