"""Comparison of pilots: each candidate's results, and which candidate ranks first.

The more of its pilots failed or were degenerate, the lower a candidate ranks; the mean score
decides among candidates with equally many. Scores within the margin count as equal, and then the
cheaper candidate or the one nearer to the rule ranks first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from shared.metrics.row_noise import estimate_row_noise
from shared.recipe.candidates import Candidate
from shared.recipe.pilot_schemas import PilotCandidate

SCORE_MARGIN = 0.01
"""Closer validation scores count as equal, however many validation rows there are …"""
MARGIN_ERRORS = 1.0
"""… or closer than this many standard errors of a score. Two models err on much the same rows, so
that their difference varies less than two scores; but a pilot has one seed, which moves it as much
as the rows do."""
RISE_START_SHARE = 0.6
"""A score still improves if it rises after this share of the steps …"""
LATE_SHARE = 0.8
"""… and the best evaluation comes after this share of the steps."""


@dataclass(frozen=True)
class Trial:
    """A pilot that has ended."""

    candidate: Candidate
    score: float | None
    """Validation score of the chosen checkpoint; None if the pilot failed or has none."""
    failed: bool = False
    degenerate: bool = False
    curve: tuple[tuple[int, float], ...] = ()
    """(step, validation score) of each evaluation."""


@dataclass(frozen=True)
class CandidateResult:
    """A candidate and its trials."""

    candidate: Candidate
    trials: tuple[Trial, ...]
    shorter_trials: tuple[Trial, ...] = ()
    """Trials of half the length, whose mean score counts as much as that of ``trials``."""

    @property
    def unlearned_count(self) -> int:
        """Number of completed trials no better than a constant prediction."""
        return sum(
            not trial.failed and (trial.degenerate or trial.score is None) for trial in self.trials
        )

    @property
    def unusable_count(self) -> int:
        """Number of trials that failed or learned nothing."""
        return self.unlearned_count + sum(trial.failed for trial in self.trials)

    @property
    def unusable_share(self) -> float:
        """Share of the trials that failed or learned nothing."""
        return self.unusable_count / len(self.trials)

    @property
    def has_failed(self) -> bool:
        return all(trial.failed for trial in self.trials)

    @property
    def has_learned(self) -> bool:
        """Whether no trial failed or was degenerate."""
        return self.unusable_count == 0

    @property
    def has_learned_nothing(self) -> bool:
        """Whether every trial failed or was degenerate."""
        return self.unusable_count == len(self.trials)

    @property
    def steps(self) -> int:
        """Steps of all trials together."""
        return len(self.trials) * self.candidate.max_steps

    @property
    def mean(self) -> float | None:
        """Mean of the defined scores; None without any."""
        means = [
            fmean(scores)
            for trials in (self.trials, self.shorter_trials)
            if (scores := [trial.score for trial in trials if trial.score is not None])
        ]
        return fmean(means) if means else None

    def to_summary(self) -> PilotCandidate:
        """Return the result as stored with the job."""
        return self.candidate.to_untried().model_copy(
            update={
                "scores": [trial.score for trial in self.trials],
                "degenerate": sum(trial.degenerate for trial in self.trials),
                "failed": sum(trial.failed for trial in self.trials),
                "mean": self.mean,
            }
        )


@dataclass(frozen=True)
class Scale:
    """What a difference between validation scores is worth."""

    metric: str
    rows: int
    """Validation rows that each score is computed on."""

    def compute_margin(self, score: float) -> float:
        """Return the largest difference from the best score that counts as chance."""
        return max(SCORE_MARGIN, MARGIN_ERRORS * estimate_row_noise(self.metric, score, self.rows))


def summarize_trials(trials: Sequence[Trial]) -> list[CandidateResult]:
    """Return one result per candidate, ordered by length, then by first appearance."""
    candidates = dict.fromkeys(trial.candidate for trial in trials)
    return [
        CandidateResult(candidate, tuple(trial for trial in trials if trial.candidate == candidate))
        for candidate in sorted(candidates, key=lambda candidate: candidate.max_steps)
    ]


def select_best_candidate(
    results: Sequence[CandidateResult],
    get_preference: Callable[[Candidate], tuple[float, ...]],
    scale: Scale,
) -> CandidateResult | None:
    """Return the best result, or None if no trial has a score.

    Candidates with the smallest share of unusable trials compete by mean score. Among those within
    the margin of the highest mean, the one with the least ``get_preference`` wins. The scores of
    candidates that learned nothing count as equal.
    """
    usable = [result for result in results if not result.has_failed and result.mean is not None]
    if not usable:
        return None
    least = min(result.unusable_share for result in usable)
    competing = [
        (result, result.mean or 0.0) for result in usable if result.unusable_share == least
    ]
    top = max(mean for _, mean in competing)
    margin = scale.compute_margin(top)
    equal = [
        result for result, mean in competing if mean >= top - margin or result.has_learned_nothing
    ]
    return min(equal, key=lambda result: get_preference(result.candidate))


def is_still_improving(curves: Sequence[Sequence[tuple[int, float]]], max_steps: int) -> bool:
    """Return whether the mean score peaks near the end, well above that at 60% of the steps."""
    by_step: dict[int, list[float]] = {}
    for curve in curves:
        for step, score in curve:
            by_step.setdefault(step, []).append(score)
    mean = [
        (step, fmean(scores))
        for step, scores in sorted(by_step.items())
        if len(scores) == len(curves)
    ]
    before = [score for step, score in mean if step <= RISE_START_SHARE * max_steps]
    if not before or len(mean) < 2:
        return False
    best_step = max(mean, key=lambda point: point[1])[0]
    return (
        best_step > LATE_SHARE * max_steps
        and fmean(score for _, score in mean[-2:]) - before[-1] > SCORE_MARGIN
    )
