"""What averaging each run's best checkpoints has changed, over a job's runs."""

from collections.abc import Sequence
from statistics import fmean

from shared.report.details import AverageScores
from shared.report.schemas import RunResult


def summarize_averages(runs: Sequence[RunResult]) -> AverageScores | None:
    """Compare the succeeded runs with their best checkpoints alone; None if none was averaged."""
    averaged = [run for run in runs if run.averaged_checkpoints is not None]
    if not averaged:
        return None
    return AverageScores(
        runs=len(averaged),
        checkpoints=fmean(run.averaged_checkpoints or 0 for run in averaged),
        score=_compute_mean([run.score for run in averaged]),
        best_checkpoint_score=_compute_mean([run.best_checkpoint_score for run in averaged]),
    )


def _compute_mean(scores: Sequence[float | None]) -> float | None:
    defined = [score for score in scores if score is not None]
    return fmean(defined) if len(defined) == len(scores) else None
