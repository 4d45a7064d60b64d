"""Cautions of a comparison: those of its jobs, and what differs between them besides recipes."""

from collections.abc import Iterator, Sequence

from shared.report.cautions import make_caution, rank_cautions
from shared.report.comparison.schemas import ComparisonInput
from shared.report.schemas import Caution


def list_comparison_cautions(jobs: Sequence[ComparisonInput]) -> list[Caution]:
    """Return the cautions, the worst first; one that all jobs share is named once."""
    return rank_cautions(
        [
            *_list_job_cautions(jobs),
            *_warn_different_precision(jobs),
            *_warn_different_threads(jobs),
        ]
    )


def _list_job_cautions(jobs: Sequence[ComparisonInput]) -> Iterator[Caution]:
    for job in jobs:
        for caution in job.report.warnings:
            is_shared = all(caution in other.report.warnings for other in jobs)
            name = "All jobs" if is_shared else job.name
            yield make_caution(caution.code, f"{name}: {caution.message}")


def _warn_different_precision(jobs: Sequence[ComparisonInput]) -> Iterator[Caution]:
    if len({job.precision for job in jobs}) > 1:
        precisions = ", ".join(f"{job.name} in {job.precision}" for job in jobs)
        yield make_caution(
            code="different_precision",
            message=f"The jobs were trained in different precisions: {precisions}. The precision "
            "alone can cause a difference; set recipe.precision to compare only the recipes.",
        )


def _warn_different_threads(jobs: Sequence[ComparisonInput]) -> Iterator[Caution]:
    """Warn that equal seeds are not equal runs: the last bits of a sum depend on the threads."""
    if len({job.threads for job in jobs}) > 1:
        threads = ", ".join(f"{job.name} with {job.threads}" for job in jobs)
        yield make_caution(
            code="different_threads",
            message=f"The jobs were trained with different numbers of CPU threads per run: "
            f"{threads}. The same seed then differs in its last bits, which can change a score; "
            "set EVENKEEL_THREADS to a number so that all jobs train alike.",
        )
