"""Reports over a job's runs, as they stand."""

from collections.abc import Sequence
from typing import Any

from shared.db.tables import Job, Run
from shared.job_report import report_of


def numbers_of(job: Job, runs: Sequence[Run]) -> dict[str, Any]:
    """The report without its per-run part, as it rides on a job."""
    report = report_of(job, runs)
    return report.model_dump(mode="json", exclude={"runs", "confusion_matrix", "object", "job_id"})
