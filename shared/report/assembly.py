"""Assembly of a report from a job's runs."""

from collections import Counter
from typing import Any

from shared.domain.states import OPEN_RUN_STATES, RunState
from shared.domain.stored import dump_stored
from shared.report.averages import summarize_averages
from shared.report.best_of_n import compute_best_of_n
from shared.report.classes import summarize_classes
from shared.report.curves import build_learning_curve, measure_discard_effect
from shared.report.details import DiscardEffect, EqualScores
from shared.report.distribution import (
    Distribution,
    describe_distribution,
    forecast_interval_widths,
    wilson_interval,
)
from shared.report.findings import ReportFindings
from shared.report.published import (
    build_distilled_scores,
    build_ensemble_scores,
    build_published_score,
    get_best_run_score,
)
from shared.report.row_uncertainty import (
    bound_equal_scores,
    convert_to_standard_error,
    estimate_row_interval,
)
from shared.report.schemas import (
    DegenerateRate,
    JobResults,
    ReportedRun,
    RunResult,
    StabilityReport,
)
from shared.report.variance import Cell, split_variance
from shared.report.verdict import decide_report_verdict
from shared.report.warnings import build_warnings

MAX_SCORE = 1e100
"""Scores beyond this magnitude, such as an R² of diverged weights, are overflows and count as
undefined.
"""


def build_stability_report(results: JobResults) -> StabilityReport:
    """Assemble the current report over the succeeded runs; it is provisional while runs are
    open.
    """
    findings = _collect_findings(results)
    return StabilityReport(
        job_id=results.job_id,
        metric=results.metric,
        split=results.split,
        planned=results.planned,
        best_run_id=results.best_run_id,
        fine_tuned_model=results.fine_tuned_model,
        best_run_score=_to_defined_score(get_best_run_score(results)),
        ensemble=build_ensemble_scores(results),
        distilled=build_distilled_scores(results),
        published=build_published_score(results),
        baselines=list(results.baselines),
        evaluation_rows=results.evaluation_rows,
        verdict=decide_report_verdict(findings),
        warnings=build_warnings(findings),
        confusion_matrix=results.confusion_matrix,
        diagnosis=list(results.diagnosis),
        pilots=None if results.pilots is None else dump_stored(results.pilots),
        runs=[_build_reported_run(run) for run in results.runs],
        **vars(findings.distribution),
        **_build_counts(findings),
        **(_build_details(results, findings) if results.detailed else {}),
    )


def _build_counts(findings: ReportFindings) -> dict[str, Any]:
    """Build the fields that count runs, and what follows from the counts."""
    return {
        "provisional": findings.open_runs > 0,
        "n": findings.n,
        "degenerate": findings.degenerate,
        "failed": findings.failed,
        "cancelled": findings.cancelled,
        "discarded": findings.discarded,
        "degenerate_rate": DegenerateRate(
            value=findings.degenerate / findings.n if findings.n else None,
            ci95=wilson_interval(findings.degenerate, findings.n),
        ),
        "score_standard_error": convert_to_standard_error(findings.rows_interval),
        "rows_ci95": findings.rows_interval,
        "equal_scores": findings.equal_scores,
        "early_discard": findings.discard_effect,
    }


def _collect_findings(results: JobResults) -> ReportFindings:
    states = Counter(RunState(run.status) for run in results.runs)
    scored = _list_scored_runs(results)
    distribution = describe_distribution([score for _, score in scored], results.metric)
    return ReportFindings(
        results=results,
        open_runs=sum(states[state] for state in OPEN_RUN_STATES),
        n=states[RunState.SUCCEEDED],
        scored_runs=len(scored),
        degenerate=sum(bool(run.degenerate) for run in _list_succeeded_runs(results)),
        failed=states[RunState.FAILED],
        cancelled=states[RunState.CANCELLED],
        discarded=states[RunState.DISCARDED],
        distribution=distribution,
        rows_interval=estimate_row_interval(
            results.metric, distribution.mean, results.evaluation_rows
        ),
        equal_scores=_bound_equal_scores(results, distribution, len(scored)),
        discard_effect=_measure_discard_effect(results),
    )


def _measure_discard_effect(results: JobResults) -> DiscardEffect | None:
    if not results.detailed or results.early_discard is None:
        return None
    return measure_discard_effect(results.runs, results.early_discard)


def _list_succeeded_runs(results: JobResults) -> list[RunResult]:
    return [run for run in results.runs if run.status == RunState.SUCCEEDED]


def _list_scored_runs(results: JobResults) -> list[tuple[RunResult, float]]:
    """List the succeeded runs with a defined score."""
    return [
        (run, score)
        for run in _list_succeeded_runs(results)
        if (score := _to_defined_score(run.score)) is not None
    ]


def _build_details(results: JobResults, findings: ReportFindings) -> dict[str, Any]:
    """Compute the further statistics, by field."""
    scored, spread = _list_scored_runs(results), findings.distribution.std
    more_seeds = (
        forecast_interval_widths(spread, findings.scored_runs, results.metric) if spread else None
    )
    return {
        "best_of_n": compute_best_of_n(
            [(_to_defined_score(run.validation_score), score) for run, score in scored]
        ),
        "average": summarize_averages(_list_succeeded_runs(results)),
        "variance": split_variance(
            [Cell(run.init_seed, run.data_seed, run.fold, score) for run, score in scored]
        ),
        "learning_curve": build_learning_curve(results.metric, [run.curve for run in results.runs]),
        "more_seeds": more_seeds,
        "per_class": summarize_classes(
            [run.classes for run in _list_succeeded_runs(results) if run.classes is not None]
        ),
    }


def _bound_equal_scores(
    results: JobResults, distribution: Distribution, n: int
) -> EqualScores | None:
    if distribution.mean is None or distribution.std != 0:
        return None
    return bound_equal_scores(results.metric, distribution.mean, n, results.evaluation_rows)


def _build_reported_run(run: RunResult) -> ReportedRun:
    return ReportedRun(
        run_id=run.run_id,
        seed=run.seed,
        init_seed=run.init_seed,
        data_seed=run.data_seed,
        status=RunState(run.status),
        degenerate=run.degenerate,
        score=_to_defined_score(run.score),
        validation_score=_to_defined_score(run.validation_score),
        test_score=_to_defined_score(run.test_score),
        fold=run.fold,
    )


def _to_defined_score(score: float | None) -> float | None:
    return score if score is not None and abs(score) <= MAX_SCORE else None  # false for NaN as well
