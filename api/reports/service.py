"""Reports over a job's runs, as they stand."""

from collections.abc import Sequence
from typing import Any

from shared.db.run_scores import ScoredRun
from shared.db.tables import Job
from shared.report.builder import build_report

REPORT_DETAIL_FIELDS = {
    "object", "job_id", "runs", "confusion_matrix",
    "best_of_n", "variance", "learning_curve", "early_discard", "more_seeds", "per_class", "pilots", "diagnosis",
}  # fmt: skip


def build_stability_summary(job: Job, runs: Sequence[ScoredRun]) -> dict[str, Any]:
    """The report without its runs and further statistics, as it rides on a job: cheap, for a
    list has many.
    """
    return build_report(job, runs).model_dump(mode="json", exclude=REPORT_DETAIL_FIELDS)
