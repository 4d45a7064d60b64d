"""Reports from database rows: the only module that knows both the tables and ``shared.report``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from sqlalchemy.orm import Session

from shared.db.metrics import Metrics
from shared.db.run_scores import ScoredRun
from shared.db.tables import Job, Run
from shared.domain.states import RunState
from shared.domain.task import TaskType
from shared.metrics import ClassScores
from shared.metrics.run_result import SplitResult, TrainedResult
from shared.recipe import Recipe
from shared.report import (
    Baseline,
    ConfusionMatrix,
    JobResults,
    RunResult,
    StabilityReport,
    build_stability_report,
)
from shared.report.classes import score_classes_from_confusion
from shared.report.diagnosis import JobFacts, RunFacts, diagnose_job
from shared.report.schemas import Curve, Split

AnyRun = Run | ScoredRun
Scored = TypeVar("Scored", bound=AnyRun)


def build_full_report(session: Session, job: Job, runs: Sequence[Run]) -> StabilityReport:
    """Build the full report with learning curves and confusion matrix from the job's main runs,
    loaded with their results.
    """
    return build_report(
        job,
        runs,
        curves=Metrics(session).get_series_by_run([run.id for run in runs], f"valid_{job.metric}"),
    )


def build_report(
    job: Job,
    runs: Sequence[AnyRun],
    *,
    metric: str | None = None,
    curves: Mapping[str, Curve] | None = None,
) -> StabilityReport:
    """Build the report of the job's main runs, given by index.

    A ``metric`` other than the job's is taken from the runs' results. With ``curves`` (by run
    id) the report is full. Either needs runs that were loaded with their results.
    """
    split: Split = "test" if job.dataset.rows.test else "validation"
    best = find_best_run(runs)
    own = metric is None or metric == job.metric
    results = [
        _build_run_result(run, split) if own else _build_run_result(run, split, metric)
        for run in runs
    ]
    if curves is not None:
        results = [
            _add_details(result, run, job, curves)
            for result, run in zip(results, runs, strict=True)
        ]
    return build_stability_report(
        JobResults(
            job_id=job.id,
            metric=metric or job.metric,
            split=split,
            planned=len(runs),
            runs=tuple(results),
            # a baseline has a score in the job's own metric only
            baselines=tuple(
                Baseline(name=entry.name, score=entry.score)
                for entry in job.baselines.get(split, [])
            )
            if own
            else (),
            best_run_id=None if best is None else best.id,
            fine_tuned_model=job.fine_tuned_model,
            evaluation_rows=job.dataset.rows.by_split[split],
            confusion_matrix=None if curves is None else _build_confusion_matrix(job, best, split),
            regression=job.task.type == TaskType.REGRESSION,
            pilots=job.pilots,
            early_discard=job.early_discard,
            diagnosis=() if curves is None else tuple(build_diagnosis(job, runs)),
            detailed=curves is not None,
        )
    )


def build_diagnosis(job: Job, runs: Sequence[AnyRun]) -> list[str]:
    """Diagnose the job from its main runs, loaded with their results.

    Empty while pilots choose the recipe, and for a recipe that another version has stored.
    """
    if not isinstance(job.resolved_recipe, Recipe):
        return []
    facts = JobFacts(
        recipe=job.resolved_recipe,
        metric=job.metric,
        train_rows=job.dataset.rows.train,
        labels={entry.label: entry.count for entry in job.dataset.labels or []},
        max_seq_length=job.task.max_seq_length,
        runs=tuple(_build_run_facts(run) for run in runs),
    )
    return diagnose_job(facts)


def _build_run_facts(run: AnyRun) -> RunFacts:
    return RunFacts(
        status=run.status,
        degenerate=run.degenerate,
        error_code=None if run.error is None else run.error.code,
        best_step=run.best_step,
        evidence=run.result.evidence if isinstance(run.result, TrainedResult) else None,
    )


def find_best_run(runs: Sequence[Scored]) -> Scored | None:
    """Return the succeeded run with the best validation score; the earlier of equal ones.
    Undefined scores come last.
    """
    ended = [run for run in runs if run.status == RunState.SUCCEEDED]

    def rank_run(run: AnyRun) -> tuple[bool, float, int]:
        score = run.validation_score
        return score is not None, score if score is not None else 0.0, -run.index

    return max(ended, key=rank_run, default=None)


def _build_run_result(run: AnyRun, split: Split, metric: str | None = None) -> RunResult:
    """``metric``: a metric other than the job's."""
    succeeded = (
        run.status == RunState.SUCCEEDED
    )  # the latest evaluation of a running run is not its result
    validation, test = run.validation_score, run.test_score
    if metric is not None:
        validation, test = (
            _get_recorded_score(run, where, metric) if succeeded else None
            for where in ("validation", "test")
        )
    return RunResult(
        run_id=run.id,
        seed=run.seed,
        init_seed=run.init_seed,
        data_seed=run.data_seed,
        status=run.status,
        degenerate=run.degenerate,
        score=(test if split == "test" else validation) if succeeded else None,
        validation_score=validation if succeeded else None,
        test_score=test if succeeded else None,
        fold=run.fold,
    )


def _get_recorded_score(run: AnyRun, split: str, metric: str) -> float | None:
    result = _get_split_result(run, split)
    return None if result is None else result.metrics.get(metric)


def _get_split_result(run: AnyRun, split: str) -> SplitResult | None:
    return run.result.get_split(split) if isinstance(run.result, TrainedResult) else None


def _add_details(
    result: RunResult, run: AnyRun, job: Job, curves: Mapping[str, Curve]
) -> RunResult:
    split: Split = "test" if job.dataset.rows.test else "validation"
    of_split = _get_split_result(run, split) if run.status == RunState.SUCCEEDED else None
    return replace(
        result,
        curve=curves.get(run.id, ()),
        classes=_get_class_rows(job, of_split) if of_split else None,
    )


def _get_class_rows(job: Job, result: SplitResult) -> Sequence[ClassScores] | None:
    if result.per_class is not None or result.confusion is None:
        return result.per_class
    return score_classes_from_confusion(job.task.label_names, result.confusion)


def _build_confusion_matrix(job: Job, best: AnyRun | None, split: Split) -> ConfusionMatrix | None:
    result = None if best is None else _get_split_result(best, split)
    if best is None or result is None or result.confusion is None:
        return None
    return ConfusionMatrix(labels=job.task.label_names, matrix=result.confusion, run_id=best.id)
