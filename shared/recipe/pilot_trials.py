"""Comparison of pilots: each candidate's results, the best one, and whether to try longer.

A candidate is a value for each searched setting. The more of its pilots failed or were
degenerate, the lower it ranks; the mean score decides among candidates with equally many.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from shared.recipe.pilot_schemas import PilotCandidate
from shared.recipe.pilots import PILOT_SEEDS, Candidate

SCORE_MARGIN = 0.01
"""Closer validation scores count as equal: about what two seeds on a few hundred rows resolve."""
MAX_PILOT_STEPS = 3200
"""Steps of the longest pilot: the longest run that the paper tries."""
MAX_COST_SHARE = 1.0
"""Limit of all pilots' steps, as a share of the main runs' steps at the length to try next …"""
MIN_COST_RUNS = 5
"""… where a job of fewer main runs counts as this many. The first round is exempt."""
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
    def has_failed(self) -> bool:
        return all(trial.failed for trial in self.trials)

    @property
    def mean(self) -> float | None:
        """Mean of the defined scores; None without any."""
        scores = [trial.score for trial in self.trials if trial.score is not None]
        return fmean(scores) if scores else None

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


def summarize_trials(trials: Sequence[Trial]) -> list[CandidateResult]:
    """Return one result per candidate, ordered by length, then by depth."""
    candidates = {trial.candidate for trial in trials}
    ordered = sorted(candidates, key=lambda candidate: (candidate.max_steps, candidate.depth))
    return [
        CandidateResult(candidate, tuple(trial for trial in trials if trial.candidate == candidate))
        for candidate in ordered
    ]


def select_best_candidate(results: Sequence[CandidateResult]) -> CandidateResult | None:
    """Return the best result, or None if every trial failed.

    Candidates with the fewest unusable trials compete by mean score. Among those within the
    margin of the highest mean, the shortest wins, then the shallowest: ``results`` are in that
    order.
    """
    usable = [result for result in results if not result.has_failed and result.mean is not None]
    if not usable:
        return None
    fewest = min(result.unusable_count for result in usable)
    competing = [
        (result, result.mean or 0.0) for result in usable if result.unusable_count == fewest
    ]
    top = max(mean for _, mean in competing)
    return next(result for result, mean in competing if mean >= top - SCORE_MARGIN)


def propose_longer_candidate(
    results: Sequence[CandidateResult], *, main_runs: int
) -> Candidate | None:
    """Return the best depth at twice its longest tried length; None if the evidence suffices."""
    first_steps = min(result.candidate.max_steps for result in results)
    best = select_best_candidate(
        [result for result in results if result.candidate.max_steps == first_steps]
    )
    if best is None:  # all failed: more steps do not cure a loss that is NaN
        return None
    lengths = list_lengths(results, best.candidate)
    longest = lengths[-1]
    if longest.has_failed or not (longest.unlearned_count or _is_longer_worthwhile(lengths)):
        return None
    longer = Candidate(
        best.candidate.reinit_layers, min(2 * longest.candidate.max_steps, MAX_PILOT_STEPS)
    )
    if longer.max_steps <= longest.candidate.max_steps:
        return None
    spent = sum(len(result.trials) * result.candidate.max_steps for result in results)
    limit = MAX_COST_SHARE * max(main_runs, MIN_COST_RUNS) * longer.max_steps
    return longer if spent + PILOT_SEEDS * longer.max_steps <= limit else None


def list_lengths(results: Sequence[CandidateResult], candidate: Candidate) -> list[CandidateResult]:
    """Return the results with the candidate's depth, the shortest first."""
    return [
        result for result in results if result.candidate.reinit_layers == candidate.reinit_layers
    ]


def _is_longer_worthwhile(lengths: Sequence[CandidateResult]) -> bool:
    """Return whether the longest run beat the one before, or, if alone, is still improving."""
    if len(lengths) == 1:
        return is_still_improving(
            [trial.curve for trial in lengths[0].trials], lengths[0].candidate.max_steps
        )
    return select_best_candidate(lengths[-2:]) is lengths[-1]


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
