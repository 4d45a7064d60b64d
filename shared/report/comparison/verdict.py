"""A pair's verdict: one code and a few sentences, which refuse what the seeds cannot carry.

Two tests are the headline, Welch's and the permutation test of the means, both two-sided and
unpaired. A difference is called shown when every one of them that is defined reaches alpha,
after Holm over all pairs; asking both keeps the rate of wrong claims at alpha or below. The
rule, the first that applies:

===================  ===============================================================================
code                 when
===================  ===============================================================================
all_degenerate       every succeeded run of both jobs is degenerate
a_better, b_better   means undefined, as every run of one job is degenerate and has no score,
                     and Fisher's test of the failure rates reaches alpha
not_enough_seeds     with so many scores, over so many pairs, even the largest difference has
                     p above alpha
a_better, b_better   the headline tests reach alpha
no_difference_shown  they do not
===================  ===============================================================================
"""

from dataclasses import dataclass
from typing import Literal

from shared.report.comparison.inference import difference_of_means, welch_interval
from shared.report.comparison.permutation import compute_seeds_needed
from shared.report.comparison.schemas import ComparisonInput, ComparisonVerdict, HypothesisTest
from shared.report.formatting import format_count, format_fraction, format_interval, format_number
from shared.report.verdict import MIN_SEEDS

HEADLINE_TESTS = ("welch", "permutation")
TEST_NAMES = {
    "welch": "Welch's t test",
    "permutation": "permutation test",
    "paired_permutation": "paired permutation test",
    "brown_forsythe": "Brown-Forsythe test",
    "fisher": "Fisher's exact test",
}
"""How sentences call the tests."""


@dataclass(frozen=True)
class PairFindings:
    """What is known of one pair, for the sentences."""

    a: ComparisonInput
    b: ComparisonInput
    tests: tuple[HypothesisTest, ...]
    alpha: float
    pair_count: int
    """Pairs in the whole comparison."""
    smallest_attainable_p: float | None
    """The smallest p of the permutation test with so many seeds, after Holm, if every pair were
    as clear as can be.
    """

    def get_p(self, test_name: str) -> float | None:
        """The test's p as it counts: adjusted where there are several pairs."""
        test = next(test for test in self.tests if test.name == test_name)
        return test.p if self.pair_count == 1 else test.p_holm

    def is_significant(self, test_name: str) -> bool:
        return (p := self.get_p(test_name)) is not None and p <= self.alpha


def decide_pair_verdict(findings: PairFindings) -> ComparisonVerdict:
    """The first rule that applies (module docstring)."""
    a, b = findings.a, findings.b
    if a.is_all_degenerate and b.is_all_degenerate:
        return ComparisonVerdict(
            code="all_degenerate",
            text=f"Every seed of {a.name} and of {b.name} is degenerate: neither "
            "learned, and there is nothing to "
            f"compare.{_format_notes(findings)}",
        )
    if min(len(a.scores), len(b.scores)) < 2:
        return _judge_failure_rates(findings) or _judge_seed_count(findings)
    if findings.smallest_attainable_p is None or findings.smallest_attainable_p > findings.alpha:
        return _judge_seed_count(findings)
    return _judge_means(findings)


def _judge_failure_rates(findings: PairFindings) -> ComparisonVerdict | None:
    """A correlation is undefined for constant predictions: then a recipe that never learns has
    no scores to compare.
    """
    a, b = findings.a, findings.b
    if not findings.is_significant("fisher") or a.is_all_degenerate == b.is_all_degenerate:
        return None
    winner, loser = (b, a) if a.is_all_degenerate else (a, b)
    return ComparisonVerdict(
        code="b_better" if winner is b else "a_better",
        text=f"{winner.name} is better than {loser.name}: every seed of {loser.name} "
        "is degenerate, too many of them without "
        "a score for means to be compared; "
        f"{_format_failure_rates(findings)}.{_format_notes(findings)}",
    )


def _judge_means(findings: PairFindings) -> ComparisonVerdict:
    a, b = findings.a, findings.b
    difference = difference_of_means(a.scores, b.scores)
    assert difference is not None, "each job has two scores"
    means = (
        f"{a.name} {format_number(a.report.mean)}, {b.name} "
        f"{format_number(b.report.mean)} ({_format_evidence(findings)})"
    )
    if all(
        findings.get_p(name) is None or findings.is_significant(name) for name in HEADLINE_TESTS
    ):
        code: Literal["a_better", "b_better"] = "b_better" if difference > 0 else "a_better"
        winner, loser = (b, a) if difference > 0 else (a, b)
        text = (
            f"{winner.name} is better than {loser.name} by "
            f"{format_number(abs(difference))} {a.report.metric} on average over "
            f"seeds: {means}."
        )
        return ComparisonVerdict(
            code=code, text=text + _format_other_tests(findings) + _format_notes(findings)
        )
    text = (
        f"No difference shown at alpha {findings.alpha:g}: {means}. That is not the "
        f"same as equal.{_format_compatible_range(findings)}"
    )
    return ComparisonVerdict(
        code="no_difference_shown",
        text=text + _format_other_tests(findings) + _format_notes(findings),
    )


def _judge_seed_count(findings: PairFindings) -> ComparisonVerdict:
    a, b, needed = findings.a, findings.b, compute_seeds_needed(findings.alpha, findings.pair_count)
    over = "" if findings.pair_count == 1 else f" over {findings.pair_count} pairs"
    if needed is None:
        cure = "more than the permutation test can tell apart with any number of seeds"
    else:
        cure = (
            f"it takes {needed} seeds a job, and then only if every score of one lies "
            "above every score of the other"
        )
        if needed < MIN_SEEDS:
            cure += f"; with fewer than {MIN_SEEDS} the spread is hardly known either"
    return ComparisonVerdict(
        code="not_enough_seeds",
        text=f"Not enough seeds: {format_count(len(a.scores), 'score')} of {a.name} "
        f"and {len(b.scores)} of {b.name} cannot show a "
        f"difference at alpha {findings.alpha:g}{over}, however large; "
        f"{cure}.{_format_notes(findings)}",
        seeds_needed=needed,
    )


def _format_evidence(findings: PairFindings) -> str:
    a, b = findings.a, findings.b
    found = ((name, findings.get_p(name)) for name in HEADLINE_TESTS)
    tests = ", ".join(
        f"{TEST_NAMES[name]} p {format_p_value(p)}" for name, p in found if p is not None
    )
    adjusted = "" if findings.pair_count == 1 else f" (Holm over {findings.pair_count} pairs)"
    bounds = welch_interval(a.scores, b.scores)
    difference = difference_of_means(a.scores, b.scores)
    said = (
        ""
        if bounds is None
        else f"difference {format_number(difference)}, 95 % {format_interval(bounds)}; "
    )
    return f"{said}{tests}{adjusted}; {len(a.scores)} and {len(b.scores)} seeds"


def format_p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _format_compatible_range(findings: PairFindings) -> str:
    bounds = welch_interval(findings.a.scores, findings.b.scores)
    return (
        ""
        if bounds is None
        else f" Differences from {format_interval(bounds)} go with these seeds."
    )


def _format_other_tests(findings: PairFindings) -> str:
    """What the other tests show: spread and failures are results of their own, whatever the
    means do.
    """
    said = ""
    a, b = findings.a, findings.b
    spreads = a.report.std, b.report.std
    if (
        findings.is_significant("brown_forsythe")
        and spreads[0] is not None
        and spreads[1] is not None
    ):
        steady, other = (a, b) if spreads[0] < spreads[1] else (b, a)
        spread = (
            f"std {format_number(steady.report.std)} against {format_number(other.report.std)} "
            f"({TEST_NAMES['brown_forsythe']} p "
            f"{format_p_value(findings.get_p('brown_forsythe') or 0.0)})"
        )
        if (
            2 * steady.report.degenerate > steady.report.n
        ):  # scores that agree because nothing was learnt are no stability
            said += (
                f" That the scores of {steady.name} lie closer together ({spread}) is "
                "no merit: most of its seeds learnt nothing."
            )
        else:
            said += f" The seeds of {steady.name} agree better: {spread}."
    if findings.is_significant("fisher"):
        said += f" They also fail at different rates: {_format_failure_rates(findings)}."
    return said


def _format_failure_rates(findings: PairFindings) -> str:
    a, b = findings.a, findings.b
    return (
        f"{a.unsuccessful_count} of {a.ended_count} runs of {a.name} and "
        f"{b.unsuccessful_count} of {b.ended_count} of {b.name} are degenerate or failed "
        f"({TEST_NAMES['fisher']} p {format_p_value(findings.get_p('fisher') or 0.0)})"
    )


def _format_notes(findings: PairFindings) -> str:
    """What a comparison of means would otherwise hide: open, failed, discarded, degenerate and
    unscored runs.
    """
    notes = []
    for job in (findings.a, findings.b):
        report = job.report
        if report.degenerate and report.n:
            notes.append(
                f"{format_fraction(report.degenerate, report.n, 'seed')} of {job.name} degenerate"
            )
        if (unscored := report.n - len(job.scores)) > 0:
            notes.append(
                f"{format_count(unscored, 'seed')} of {job.name} without a score and in no mean"
            )
        if report.failed:
            notes.append(
                f"{format_count(report.failed, 'run')} of {job.name} failed and not counted"
            )
        if report.discarded:
            notes.append(
                f"{format_count(report.discarded, 'run')} of {job.name} discarded early: "
                "its mean is of the survivors"
            )
        if report.provisional:
            notes.append(f"{job.name} still has open runs")
    return f" Note: {'; '.join(notes)}." if notes else ""
