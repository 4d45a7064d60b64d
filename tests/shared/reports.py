"""Builders of reports for tests: what is not given is ordinary."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.domain.early_discard import DecidedDiscard
from shared.report import Baseline, JobResults, RunResult, StabilityReport, build_stability_report


def make_results(
    scores: Sequence[float | None],
    *,
    degenerate: Sequence[int] = (),
    status: Mapping[int, str] | None = None,
    majority: float | None = 0.4,
    rows: int | None = 80,
    metric: str = "accuracy",
    split: str = "validation",
    job_id: str = "ftjob-1",
    **more: object,
) -> JobResults:
    """One run a score, seeds from 0; ``degenerate`` and ``status`` go by index."""
    runs = tuple(
        RunResult(
            run_id=f"ftrun-{index}",
            seed=index,
            init_seed=index,
            data_seed=index,
            status=(status or {}).get(index, "succeeded"),
            degenerate=index in degenerate,
            score=score,
            validation_score=score,
            test_score=None,
        )
        for index, score in enumerate(scores)
    )
    return JobResults(
        job_id=job_id,
        metric=metric,
        split="test" if split == "test" else "validation",
        planned=len(runs),
        runs=runs,
        baselines=(Baseline(name="majority", score=majority),),
        evaluation_rows=rows,
        **more,  # type: ignore[arg-type]
    )


def make_report(scores: Sequence[float | None], **settings: object) -> StabilityReport:
    return build_stability_report(make_results(scores, **settings))  # type: ignore[arg-type]


def make_detailed_report(
    scores: Sequence[float | None],
    curves: Sequence[Sequence[tuple[int, float]]] = (),
    **more: object,
) -> StabilityReport:
    results = make_results(scores, **more)  # type: ignore[arg-type]
    runs = [
        replace(run, curve=curve)
        for run, curve in zip(results.runs, curves or [()] * len(scores), strict=True)
    ]
    return build_stability_report(replace(results, runs=tuple(runs), detailed=True))


def list_warning_codes(report: StabilityReport) -> set[str]:
    return {warning.code for warning in report.warnings}


def make_discard(*, start: int, at_step: int) -> DecidedDiscard:
    return DecidedDiscard(start=start, keep=1, at_fraction=0.5, at_step=at_step, kept=[0])
