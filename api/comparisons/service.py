"""Comparison of jobs: check that they are comparable, build it, store it."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from api.comparisons.schemas import ComparisonObject, ComparisonRequest
from api.dependencies import AppServices
from shared.db.comparisons import Comparisons
from shared.db.jobs import Jobs
from shared.db.run_scores import ScoredRun, list_scored_runs
from shared.db.tables import Comparison, Job
from shared.domain import ids
from shared.domain.errors import JobsNotComparable
from shared.domain.states import RunState
from shared.domain.stored import dump_stored
from shared.metrics.run_result import TrainedResult
from shared.report import StabilityReport
from shared.report.builder import build_report
from shared.report.comparison import Comparison as ComparisonResult
from shared.report.comparison import ComparisonInput, build_comparison
from shared.report.comparison.schemas import StoredComparison
from shared.report.comparison.titles import build_titles

_DIGEST_FIELDS = {"training_sha256", "validation_sha256", "test_sha256"}
TASK_IDENTITY_FIELDS = ("type", "label_column", "label_names", "positive_label")
"""Fields of a task that decide which labels are right. Which texts are read, and up to which
length, may differ between the jobs like any setting of a recipe."""


def create_comparison(services: AppServices, request: ComparisonRequest) -> ComparisonObject:
    """Compare jobs and store the result. Raises as ``compare_jobs`` does."""
    with services.database.read() as session:
        comparison = compare_jobs(session, services.owner_id, request)
    return _store_comparison(services, StoredComparison(**dict(comparison)))


def compare_jobs(session: Session, owner_id: str, request: ComparisonRequest) -> ComparisonResult:
    """Compare jobs as they stand now.

    Raises JobNotFound, and JobsNotComparable for jobs that differ in data, split, task or metric.
    """
    jobs = list_comparable_jobs(session, owner_id, request.job_ids)
    runs = list_scored_runs(session, request.job_ids, with_results=request.metric is not None)
    reports = [_build_report(job, runs[job.id], request.metric) for job in jobs]
    return build_comparison(_build_inputs(jobs, reports), request.alpha)


def list_comparable_jobs(session: Session, owner_id: str, job_ids: Sequence[str]) -> Sequence[Job]:
    """Return the jobs in the given order. Raises JobNotFound, and JobsNotComparable for jobs that
    were not scored on the same rows.
    """
    jobs = Jobs(session).list_by_ids(job_ids, owner_id, param="job_ids")
    _check_same_rows(jobs)
    return jobs


def _store_comparison(services: AppServices, result: StoredComparison) -> ComparisonObject:
    row = Comparison(id=ids.make_comparison_id(), owner_id=services.owner_id, result=result)
    with services.database.write() as session:
        Comparisons(session, services.owner_id).add(row)
        session.refresh(row)
    return ComparisonObject.from_row(row)


def _build_inputs(jobs: Sequence[Job], reports: Sequence[StabilityReport]) -> list[ComparisonInput]:
    return [
        ComparisonInput(report, preset, title, _get_precision(job), job.threads)
        for job, report, (preset, title) in zip(jobs, reports, _list_job_names(jobs), strict=True)
    ]


class _RowIdentity(NamedTuple):
    """What decides which rows a job is scored on, and which labels of them are right."""

    files: dict[str, object]
    split: dict[str, object]
    rows: dict[str, int]
    task: dict[str, object]


def _check_same_rows(jobs: Sequence[Job]) -> None:
    """Raise JobsNotComparable if a job was scored on other rows than the first."""
    first, *others = jobs
    expected = _get_row_identity(first)
    for job in others:
        identity = _get_row_identity(job)
        for aspect in _RowIdentity._fields:
            if getattr(identity, aspect) != getattr(expected, aspect):
                raise JobsNotComparable(
                    f"{first.id} and {job.id} differ in their {aspect}; "
                    "only jobs scored on the same rows can be compared.",
                    param="job_ids",
                )


def _get_row_identity(job: Job) -> _RowIdentity:
    digests = {
        name: value
        for name, value in job.dataset.model_dump(include=_DIGEST_FIELDS).items()
        if value is not None
    }
    # a setting that is switched off counts as not given
    split = {
        name: value
        for name, value in dump_stored(job.split).items()
        if value is not None and value is not False
    }
    task = {name: getattr(job.task, name) for name in TASK_IDENTITY_FIELDS}
    return _RowIdentity(digests, split, job.dataset.rows.by_split, task)


def _build_report(job: Job, runs: Sequence[ScoredRun], metric: str | None) -> StabilityReport:
    """Build the job's report in ``metric``. Raises JobsNotComparable if no run has recorded it."""
    if metric is None or metric == job.metric:
        return build_report(job, runs)
    report = build_report(job, runs, metric=metric)
    is_recorded = any(
        metric in result.metrics
        for run in runs
        if run.status == RunState.SUCCEEDED
        and isinstance(run.result, TrainedResult)
        and (result := run.result.get_split(report.split)) is not None
    )
    if report.n and not is_recorded:
        raise JobsNotComparable(
            f"The runs of {job.id} have no score for {metric}; give a metric that suits the task "
            "of every job.",
            param="metric",
        )
    return report


def _list_job_names(jobs: Sequence[Job]) -> list[tuple[str, str]]:
    """Return each job's preset and title."""
    presets = [get_preset(job) for job in jobs]
    titles = build_titles([(preset, job.id) for preset, job in zip(presets, jobs, strict=True)])
    return list(zip(presets, titles, strict=True))


def _get_precision(job: Job) -> str:
    # jobs that are older than the setting were trained in float32
    return "float32" if job.resolved_recipe is None else job.resolved_recipe.precision


def get_preset(job: Job) -> str:
    """Return the preset of the job's recipe."""
    # the resolved recipe is null while pilots run
    return (job.resolved_recipe or job.request.recipe).preset
