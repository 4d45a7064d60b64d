"""Reports from database rows: the only module that knows both the tables and ``shared.report``."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from shared.db.metrics import Metrics
from shared.db.run_scores import ScoredRun
from shared.db.tables import Job, Run
from shared.domain.publication import Publication
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
from shared.report.schemas import Curve, LeakedRows, Split

AnyRun = Run | ScoredRun
Scored = TypeVar("Scored", bound=AnyRun)


def build_full_report(
    session: Session,
    job: Job,
    runs: Sequence[Run],
    *,
    metric: str | None = None,
    publication: Publication | None = None,
) -> StabilityReport:
    """Build the full report with learning curves and confusion matrix from the job's main runs,
    loaded with their results; in the job's metric unless another is given. A ``publication`` that
    is not stored yet replaces the job's.
    """
    series = f"valid_{metric or job.metric}"
    return build_report(
        job,
        runs,
        metric=metric,
        publication=publication,
        curves=Metrics(session).get_series_by_run([run.id for run in runs], series),
    )


def build_report(
    job: Job,
    runs: Sequence[AnyRun],
    *,
    metric: str | None = None,
    publication: Publication | None = None,
    curves: Mapping[str, Curve] | None = None,
) -> StabilityReport:
    """Build the report of the job's main runs, given by index.

    A ``metric`` other than the job's is taken from the runs' results. With ``curves`` (by run
    id) the report is full. Either needs runs that were loaded with their results.
    """
    split, best = _get_report_split(job), find_best_run(runs)
    is_own_metric = metric is None or metric == job.metric
    run_results = _build_run_results(runs, split, None if is_own_metric else metric)
    job_results = JobResults(
        job_id=job.id,
        metric=metric or job.metric,
        split=split,
        planned=len(runs),
        runs=run_results,
        # a baseline has a score in the job's own metric only
        baselines=_get_baselines(job, split) if is_own_metric else (),
        best_run_id=None if best is None else best.id,
        fine_tuned_model=job.fine_tuned_model,
        evaluation_rows=job.dataset.rows.by_split[split],
        regression=job.task.type == TaskType.REGRESSION,
        pilots=job.pilots,
        early_discard=job.early_discard,
        warnings=tuple(job.warnings),
        leak=_get_leak(job, split),
        publication=publication or job.publication,
    )
    return build_stability_report(
        job_results if curves is None else _add_details(job_results, job, runs, curves)
    )


def _get_report_split(job: Job) -> Split:
    return "test" if job.dataset.rows.test else "validation"


def _get_leak(job: Job, split: Split) -> LeakedRows | None:
    leak, rows = (job.dataset.leakage or {}).get(split), job.dataset.rows
    if leak is None:
        return None
    # over the folds, every row of the file is validated once
    is_folded = job.dataset.folds is not None and split == "validation"
    return LeakedRows(
        leak.rows, rows.train + rows.validation if is_folded else rows.by_split[split]
    )


def _get_baselines(job: Job, split: Split) -> tuple[Baseline, ...]:
    """Return the baselines, the strongest first, those without a score last."""
    entries = [(entry.name, entry.score) for entry in job.baselines.get(split, [])]
    entries.sort(key=lambda entry: -math.inf if entry[1] is None else entry[1], reverse=True)
    return tuple(Baseline(name=name, score=score) for name, score in entries)


def _add_details(
    results: JobResults, job: Job, runs: Sequence[AnyRun], curves: Mapping[str, Curve]
) -> JobResults:
    """Add what only the full report has: curves, class scores, confusion matrix, diagnosis."""
    return replace(
        results,
        runs=tuple(
            replace(
                result,
                curve=curves.get(run.id, ()),
                classes=_get_class_scores(job, run, results.split),
                **_get_average_fields(run, results),
            )
            for result, run in zip(results.runs, runs, strict=True)
        ),
        confusion_matrix=_build_confusion_matrix(job, find_best_run(runs), results.split),
        diagnosis=tuple(build_diagnosis(job, runs)),
        detailed=True,
    )


def _get_average_fields(run: AnyRun, results: JobResults) -> dict[str, Any]:
    """Return the fields of a run whose model is an average of checkpoints."""
    result = run.result if run.status == RunState.SUCCEEDED else None
    if not isinstance(result, TrainedResult) or result.average is None:
        return {}
    alone = result.average.get_best_checkpoint_split(results.split) or {}
    return {
        "averaged_checkpoints": len(result.average.steps),
        "best_checkpoint_score": alone.get(results.metric),
    }


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
        max_positions=job.dataset.max_positions,
        runs=tuple(_build_run_facts(run) for run in runs),
        multi_label=job.task.type == TaskType.MULTI_LABEL,
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


def _build_run_results(
    runs: Sequence[AnyRun], split: Split, metric: str | None
) -> tuple[RunResult, ...]:
    """Build the results in a metric other than the job's, or in the job's own if it is None."""
    return tuple(_build_run_result(run, split, *_get_scores(run, metric)) for run in runs)


def _build_run_result(
    run: AnyRun, split: Split, validation: float | None, test: float | None
) -> RunResult:
    return RunResult(
        run_id=run.id,
        seed=run.seed,
        init_seed=run.init_seed,
        data_seed=run.data_seed,
        status=run.status,
        degenerate=run.degenerate,
        score=test if split == "test" else validation,
        validation_score=validation,
        test_score=test,
        fold=run.fold,
    )


def _get_scores(run: AnyRun, metric: str | None) -> tuple[float | None, float | None]:
    """Return the validation and test score of a succeeded run: the latest evaluation of a running
    run is not its result.
    """
    if run.status != RunState.SUCCEEDED:
        return None, None
    if metric is None:
        return run.validation_score, run.test_score
    return _get_recorded_score(run, "validation", metric), _get_recorded_score(run, "test", metric)


def _get_recorded_score(run: AnyRun, split: str, metric: str) -> float | None:
    result = _get_split_result(run, split)
    return None if result is None else result.metrics.get(metric)


def _get_split_result(run: AnyRun, split: str) -> SplitResult | None:
    return run.result.get_split(split) if isinstance(run.result, TrainedResult) else None


def _get_class_scores(job: Job, run: AnyRun, split: Split) -> Sequence[ClassScores] | None:
    """Return the scores of each label as recorded, or computed for a run that recorded only its
    confusion matrix.
    """
    result = _get_split_result(run, split) if run.status == RunState.SUCCEEDED else None
    if result is None:
        return None
    if result.per_class is not None or result.confusion is None:
        return result.per_class
    return score_classes_from_confusion(job.task.label_names, result.confusion)


def _build_confusion_matrix(job: Job, best: AnyRun | None, split: Split) -> ConfusionMatrix | None:
    result = None if best is None else _get_split_result(best, split)
    if best is None or result is None or result.confusion is None:
        return None
    return ConfusionMatrix(labels=job.task.label_names, matrix=result.confusion, run_id=best.id)
