"""Two jobs side by side: their difference, how sure it is, and a verdict in words.

Two tests are the headline, Welch's and the permutation test of the means, both two-sided and unpaired. A difference is
called shown when every one of them that is defined reaches alpha; asking both keeps the error rate at alpha or below.
"""

from collections.abc import Callable
from typing import Literal

from shared.comparison.inference import (
    Scores,
    difference_of_means,
    effect_size,
    permutation_test,
    seeds_for,
    smallest_p,
    welch_interval,
    welch_test,
)
from shared.comparison.shapes import (
    ComparedJob,
    Comparison,
    ComparisonVerdict,
    Contender,
    HypothesisTest,
    Pair,
)
from shared.errors import JobsNotComparable
from shared.report.wording import count, number, of

HEADLINE_TESTS: tuple[Callable[[Scores, Scores], HypothesisTest], ...] = (welch_test, permutation_test)
TEST_NAMES = {
    "welch": "Welch's t test",
    "permutation": "permutation test",
    "paired_permutation": "paired permutation test",
    "brown_forsythe": "Brown-Forsythe test",
    "fisher": "Fisher's exact test",
}
"""How sentences call the tests."""


def compare(a: Contender, b: Contender, alpha: float = 0.05) -> Comparison:
    """Compare job b with job a over their succeeded seeds.

    Raises JobsNotComparable when they were scored by different metrics or on different splits; that the rows are the
    same is for the caller to see to.
    """
    for field in ("metric", "split"):
        of_a, of_b = getattr(a.report, field), getattr(b.report, field)
        if of_a != of_b:
            raise JobsNotComparable(
                f"{a.report.job_id} has the {field} {of_a!r}, {b.report.job_id} has {of_b!r}; only jobs scored alike "
                "can be compared.",
                param="job_ids",
            )
    return Comparison(
        metric=a.report.metric,
        split=a.report.split,
        alpha=alpha,
        jobs=[_compared(a), _compared(b)],
        pairs=[_pair(a, b, alpha)],
    )


def _compared(job: Contender) -> ComparedJob:
    report = job.report
    return ComparedJob(
        job_id=report.job_id,
        preset=job.preset,
        n=report.n,
        mean=report.mean,
        std=report.std,
        degenerate=report.degenerate,
        failed=report.failed,
    )


def _pair(a: Contender, b: Contender, alpha: float) -> Pair:
    pair = Pair(
        a=a.report.job_id,
        b=b.report.job_id,
        difference=difference_of_means(a.scores, b.scores),
        ci95=welch_interval(a.scores, b.scores),
        effect_size=effect_size(a.scores, b.scores),
        tests=[test(a.scores, b.scores) for test in HEADLINE_TESTS],
        verdict=ComparisonVerdict(code="no_difference_shown", text=""),
    )
    return pair.model_copy(update={"verdict": _verdict(a, b, pair, alpha)})


def _verdict(a: Contender, b: Contender, pair: Pair, alpha: float) -> ComparisonVerdict:
    note = _notes(a, b)
    if all(job.report.n and job.report.degenerate == job.report.n for job in (a, b)):
        return ComparisonVerdict(
            code="all_degenerate",
            text=f"Every seed of {a.name} and of {b.name} is degenerate: neither learned, and there is nothing to "
            f"compare.{note}",
        )
    sizes = len(a.scores), len(b.scores)
    difference = pair.difference
    if difference is None or min(sizes) < 2 or smallest_p(*sizes) > alpha:
        return _not_enough(a, b, alpha, note)
    means = f"{a.name} {number(a.report.mean)}, {b.name} {number(b.report.mean)} ({_evidence(pair, sizes)})"
    if all(test.p is None or test.p <= alpha for test in pair.tests):
        code: Literal["a_better", "b_better"] = "b_better" if difference > 0 else "a_better"
        winner, loser = (b, a) if difference > 0 else (a, b)
        text = (
            f"{winner.name} is better than {loser.name} by {number(abs(difference))} {a.report.metric} on average over "
            f"seeds: {means}.{note}"
        )
        return ComparisonVerdict(code=code, text=text)
    text = f"No difference shown at alpha {alpha:g}: {means}. That is not the same as equal.{_range(pair)}{note}"
    return ComparisonVerdict(code="no_difference_shown", text=text)


def _not_enough(a: Contender, b: Contender, alpha: float, note: str) -> ComparisonVerdict:
    needed = seeds_for(alpha)
    return ComparisonVerdict(
        code="not_enough_seeds",
        text=f"{count(len(a.scores), 'score')} of {a.name} and {len(b.scores)} of {b.name} cannot show a difference at "
        f"alpha {alpha:g}, however large: it takes {needed} seeds a job.{note}",
        seeds_needed=needed,
    )


def _evidence(pair: Pair, sizes: tuple[int, int]) -> str:
    tests = ", ".join(f"{TEST_NAMES[test.name]} p {_p_value(test.p)}" for test in pair.tests if test.p is not None)
    bounds = "" if pair.ci95 is None else f"difference {number(pair.difference)}, 95 % {_bounds(pair.ci95)}; "
    return f"{bounds}{tests}; {sizes[0]} and {sizes[1]} seeds"


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _bounds(bounds: tuple[float, float]) -> str:
    return f"{number(bounds[0])} to {number(bounds[1])}"


def _range(pair: Pair) -> str:
    if pair.ci95 is None:
        return ""
    return f" Differences from {_bounds(pair.ci95)} go with these seeds."


def _notes(a: Contender, b: Contender) -> str:
    """What a comparison of means would otherwise hide: open, failed and degenerate runs."""
    notes = []
    for job in (a, b):
        report = job.report
        if report.degenerate and report.n:
            notes.append(f"{of(report.degenerate, report.n, 'seed')} of {job.name} degenerate")
        if report.failed:
            notes.append(f"{count(report.failed, 'run')} of {job.name} failed and not counted")
        if report.provisional:
            notes.append(f"{job.name} still has open runs")
    return f" Note: {'; '.join(notes)}." if notes else ""
