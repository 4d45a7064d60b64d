"""Findings of a report: what was counted and computed for its sentences."""

from dataclasses import dataclass

from shared.report.details import DiscardEffect
from shared.report.distribution import Distribution
from shared.report.formatting import format_count, format_interval, format_number
from shared.report.schemas import JobResults


@dataclass(frozen=True)
class ReportFindings:
    results: JobResults
    open_runs: int
    n: int
    scored_runs: int
    """Succeeded runs with a defined score."""
    degenerate: int
    failed: int
    cancelled: int
    discarded: int
    distribution: Distribution
    standard_error: float | None
    discard_effect: DiscardEffect | None = None

    @property
    def baselines(self) -> list[tuple[float, str]]:
        """Scores and names of the baselines that have a score, the best first."""
        known = [(one.score, one.name) for one in self.results.baselines if one.score is not None]
        return sorted(known, key=lambda one: -one[0])

    def format_scores(self) -> str:
        """For instance ``accuracy 0.812 ± 0.014 (mean ± std, 5 seeds, 0.790 to 0.825)``."""
        scores, metric = self.distribution, self.results.metric
        mean = f"{metric} {format_number(scores.mean)}"
        if scores.std is None or scores.min is None or scores.max is None:
            return f"{mean} ({'one seed' if self.scored_runs else 'no seed with a score'})"
        seeds = format_count(self.scored_runs, "seed")
        extremes = format_interval((scores.min, scores.max))
        return f"{mean} ± {format_number(scores.std)} (mean ± std, {seeds}, {extremes})"
