"""Expected score of the best of n seeds."""

from collections.abc import Sequence
from itertools import groupby

from shared.report.details import BestOf, BestOfN
from shared.report.distribution import clamp_to_values, compute_mean

Draw = tuple[float | None, float]
"""A run's validation score, by which it would be chosen, and its score on the report's split."""


def compute_best_of_n(draws: Sequence[Draw]) -> BestOfN | None:
    """Compute E[score of the run chosen from n] for n = 1 … N, drawn from the N runs with
    replacement; None without runs.

    Dodge et al. 2019 ("Show Your Work", equation 7): with scores in ascending order, the
    largest of n draws has rank i with probability (i/N)^n - ((i-1)/N)^n. Here the rank is by
    validation and the score of any split; runs with equal validation scores share their ranks,
    and one without a validation score ranks below all. With both on validation it is the
    expected maximum.
    """
    if not draws:
        return None
    runs, groups = len(draws), _group_ties(draws)
    curve = [
        BestOf(n=n, expected=_compute_expected_score(n, runs, groups)) for n in range(1, runs + 1)
    ]
    return BestOfN(runs=runs, curve=curve)


def _compute_expected_score(n: int, runs: int, groups: Sequence[tuple[int, int, float]]) -> float:
    expected = sum(((up / runs) ** n - (below / runs) ** n) * mean for below, up, mean in groups)
    return clamp_to_values(expected, [mean for _, _, mean in groups])


def _group_ties(draws: Sequence[Draw]) -> list[tuple[int, int, float]]:
    """Return the ranks below, the ranks up to, and the mean score of each group of runs with
    equal validation scores.
    """
    ranked = sorted(draws, key=_get_selection_key)
    groups: list[tuple[int, int, float]] = []
    for _, tied in groupby(ranked, key=_get_selection_key):
        scores = [score for _, score in tied]
        below = groups[-1][1] if groups else 0
        groups.append((below, below + len(scores), compute_mean(scores)))
    return groups


def _get_selection_key(draw: Draw) -> tuple[bool, float]:
    validation = draw[0]
    return validation is not None, validation if validation is not None else 0.0
