"""Findings of a report: what was counted and computed for its sentences."""

from dataclasses import dataclass

from shared.report.base import Interval
from shared.report.details import DiscardEffect, EqualScores
from shared.report.distribution import Distribution, student_interval
from shared.report.formatting import (
    choose_run_noun,
    format_count,
    format_interval,
    format_number,
    format_percent,
    format_spread,
)
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
    rows_interval: Interval | None
    """Interval of the mean from the number of rows, if the metric is a share of rows."""
    equal_scores: EqualScores | None
    """What remains possible although all scores are equal."""
    discard_effect: DiscardEffect | None = None

    @property
    def baselines(self) -> list[tuple[float, str]]:
        """Scores and names of the baselines that have a score, the best first."""
        known = [(one.score, one.name) for one in self.results.baselines if one.score is not None]
        return sorted(known, key=lambda one: -one[0])

    @property
    def run_noun(self) -> str:
        """What to call the counted runs in sentences."""
        return choose_run_noun(self.results.runs)

    @property
    def cautious_interval(self) -> Interval | None:
        """Interval of the mean for claims: ``ci95``, or from the std that equal scores do not
        exclude, as their own std of 0 would claim more than a small one.
        """
        mean, equal = self.distribution.mean, self.equal_scores
        if mean is None or equal is None or equal.std is None:
            return self.distribution.ci95
        return student_interval(mean, equal.std, self.scored_runs, self.results.metric)

    def format_equal_scores(self) -> str:
        """Say what equal scores leave open; empty if the scores differ."""
        if (equal := self.equal_scores) is None:
            return ""
        seeds = format_count(self.scored_runs, self.run_noun)
        text = (
            f"None of the {seeds} differs, but up to {format_percent(equal.differing_share)} of "
            f"all {self.run_noun}s may (95% bound)"
        )
        if equal.std is None:
            return f"{text}."
        rows = format_count(self.results.evaluation_rows or 0, f"{self.results.split} row")
        return (
            f"{text}: a std of up to {format_spread(equal.std)} is not excluded even if each of "
            f"them differs by only one of the {rows}."
        )

    def format_scores(self) -> str:
        """For instance ``accuracy 0.812 ± 0.014 (mean ± std, 5 seeds, 0.790 to 0.825)`` or
        ``accuracy 0.896 (all 5 seeds equal)``.
        """
        scores, metric, noun = self.distribution, self.results.metric, self.run_noun
        mean = f"{metric} {format_number(scores.mean)}"
        if scores.std is None or scores.min is None or scores.max is None:
            return f"{mean} ({f'one {noun}' if self.scored_runs else f'no {noun} with a score'})"
        if self.equal_scores is not None:
            equal = "both" if self.scored_runs == 2 else f"all {self.scored_runs}"
            return f"{mean} ({equal} {noun}s equal)"
        seeds = format_count(self.scored_runs, self.run_noun)
        extremes = format_interval((scores.min, scores.max))
        return f"{mean} ± {format_spread(scores.std)} (mean ± std, {seeds}, {extremes})"
