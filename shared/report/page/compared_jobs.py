"""How the jobs of a stored comparison stand today: their titles, and what has changed since."""

from collections.abc import Sequence
from typing import Any

from shared.domain.states import RunState
from shared.report.comparison.schemas import ComparedJob, Comparison
from shared.report.comparison.titles import build_titles
from shared.report.formatting import format_count, format_number, format_spread
from shared.report.page.section import JobSection


def describe_compared_jobs(
    jobs: Sequence[JobSection], comparison: Comparison | None
) -> dict[str, Any]:
    """Build the template's variables on jobs that were deleted or have other scores now."""
    compared = {job.job_id: job for job in comparison.jobs} if comparison else {}
    existing = {job.report.job_id: job for job in jobs}
    deleted = [job for job_id, job in compared.items() if job_id not in existing]
    names = build_titles([(job.preset, job_id) for job_id, job in compared.items()])
    titles = dict(zip(compared, names, strict=True))
    changes = {
        job_id: _describe_change(section, compared[job_id])
        for job_id, section in existing.items()
        if job_id in compared
    }
    return {
        "titles": titles | {job_id: section.title for job_id, section in existing.items()},
        "deleted_jobs": [(titles[job.job_id], _describe_deleted(job)) for job in deleted],
        "changes": changes,
    }


def _describe_deleted(job: ComparedJob) -> str:
    degenerate = format_count(job.degenerate, "degenerate run")
    if job.mean is None:
        scores = "no score"
    else:
        spread = "" if job.std is None else f" ± {format_spread(job.std)}"
        scores = f"a mean of {format_number(job.mean)}{spread} over {format_count(job.n, 'run')}"
    failed = format_count(job.failed, "failed run")
    return f"This job was deleted after the comparison. It had {scores}, {degenerate} and {failed}."


def _describe_change(section: JobSection, compared: ComparedJob) -> list[str]:
    scored = sum(
        run.status == RunState.SUCCEEDED and run.score is not None for run in section.report.runs
    )
    if scored == compared.n:
        return []
    then = format_count(compared.n, "run")
    return [
        f"{section.title} had {then} with a score when it was compared and has {scored} now; "
        "compare again to include them."
    ]
