"""Making a comparison: the jobs' reports, a check that they were scored on the same rows, the
verdict, the row.
"""

from collections.abc import Sequence
from typing import Any

from api.comparisons.schemas import ComparisonObject, ComparisonRequest
from api.dependencies import AppServices
from shared.db.comparisons import Comparisons
from shared.db.jobs import Jobs
from shared.db.run_scores import ScoredRun, scored_runs
from shared.db.tables import Comparison, Job
from shared.domain import ids
from shared.domain.errors import JobsNotComparable
from shared.domain.states import RunState
from shared.report.builder import build_report
from shared.report.comparison import ComparisonInput, build_comparison

TASK_IDENTITY_FIELDS = ("type", "label_column", "label_names", "positive_label")
"""Of a task: what decides what the right answers are. Which texts are read, and how much of
them, is a recipe's choice.
"""


def create_comparison(services: AppServices, request: ComparisonRequest) -> ComparisonObject:
    """Raises JobNotFound, and JobsNotComparable for other data, another split, task or metric."""
    with services.database.read() as session:
        jobs = Jobs(session).named(request.job_ids, services.owner_id, param="job_ids")
        _check_same_rows(jobs)
        runs = scored_runs(session, request.job_ids, results=request.metric is not None)
    names = _list_names(jobs)
    contenders = [
        ComparisonInput(
            _build_report(job, runs[job.id], request.metric), preset, title, _get_precision(job)
        )
        for job, (preset, title) in zip(jobs, names, strict=True)
    ]
    found = build_comparison(contenders, request.alpha)
    row = Comparison(
        id=ids.comparison_id(), owner_id=services.owner_id, result=found.model_dump(mode="json")
    )
    with services.database.write() as session:
        Comparisons(session, services.owner_id).add(row)
        session.refresh(row)
    return ComparisonObject.from_row(row)


def _check_same_rows(jobs: Sequence[Job]) -> None:
    first = jobs[0]
    for job in jobs[1:]:
        for what, of_first, of_other in zip(
            ("files", "split", "rows", "task"),
            _get_row_identity(first),
            _get_row_identity(job),
            strict=True,
        ):
            if of_first != of_other:
                raise JobsNotComparable(
                    (
                        f"{first.id} and {job.id} do not have the same {what}; only jobs "
                        "scored on the same rows can be compared."
                    ),
                    param="job_ids",
                )


def _get_row_identity(job: Job) -> tuple[dict[str, Any], ...]:
    """What decides which rows a job is scored on and what their answers are; switches that are
    off count as not given.
    """
    digests = {
        name: value
        for name, value in job.dataset.items()
        if name.endswith("_sha256") and value is not None
    }
    split = {
        name: value for name, value in job.split.items() if value is not None and value is not False
    }
    task = {name: job.task.get(name) for name in TASK_IDENTITY_FIELDS}
    return digests, split, job.dataset["rows"], task


def _build_report(job: Job, runs: Sequence[ScoredRun], metric: str | None) -> Any:
    if metric is None or metric == job.metric:
        return build_report(job, runs)
    report = build_report(job, runs, metric=metric)
    recorded = any(
        metric in result["metrics"]
        for run in runs
        if run.status == RunState.SUCCEEDED
        and run.result
        and (result := run.result.get(report.split))
    )
    if report.n and not recorded:
        raise JobsNotComparable(f"The runs of {job.id} have no {metric} recorded.", param="metric")
    return report


def _list_names(jobs: Sequence[Job]) -> list[tuple[str, str]]:
    """Preset and title of each: jobs of the same preset are told apart by the end of their ids."""
    presets = [_get_preset(job) for job in jobs]
    return [
        (preset, preset if presets.count(preset) == 1 else f"{preset} (…{job.id[-6:]})")
        for preset, job in zip(presets, jobs, strict=True)
    ]


def _get_precision(job: Job) -> str:
    return str(
        (job.resolved_recipe or {}).get("precision", "float32")
    )  # of before there was a choice


def _get_preset(job: Job) -> str:
    recipe = job.resolved_recipe or job.request.get(
        "recipe", {}
    )  # the former is null while pilots run
    return str(recipe.get("preset", "stabilized"))
