"""A pair's verdict: one code and a few sentences, which refuse what the seeds cannot carry.

Two tests are the headline, Welch's and the permutation test of the means, both two-sided and unpaired. A difference is
called shown when every one of them that is defined reaches alpha, after Holm over all pairs; asking both keeps the rate of
wrong claims at alpha or below. The rule, the first that applies:

===================  =====================================================================================
code                 when
===================  =====================================================================================
all_degenerate       every succeeded run of both jobs is degenerate
a_better, b_better   means undefined, as every run of one job is degenerate and has no score, and Fisher's
                     test of the failure rates reaches alpha
not_enough_seeds     with so many scores, over so many pairs, even the largest difference has p above alpha
a_better, b_better   the headline tests reach alpha
no_difference_shown  they do not
===================  =====================================================================================
"""

from dataclasses import dataclass
from typing import Literal

from shared.report.comparison.inference import difference_of_means, welch_interval
from shared.report.comparison.permutation import seeds_for
from shared.report.comparison.schemas import ComparisonVerdict, Contender, HypothesisTest
from shared.report.formatting import count, interval, number, of
from shared.report.verdict import MIN_SEEDS

HEADLINE = ("welch", "permutation")
TEST_NAMES = {
    "welch": "Welch's t test",
    "permutation": "permutation test",
    "paired_permutation": "paired permutation test",
    "brown_forsythe": "Brown-Forsythe test",
    "fisher": "Fisher's exact test",
}
"""How sentences call the tests."""


@dataclass(frozen=True)
class Findings:
    """What is known of one pair, for the sentences."""

    a: Contender
    b: Contender
    tests: tuple[HypothesisTest, ...]
    alpha: float
    pairs: int
    """Pairs in the whole comparison."""
    attainable: float | None
    """The smallest p of the permutation test with so many seeds, after Holm, if every pair were as clear as can be."""

    def p(self, name: str) -> float | None:
        """The test's p as it counts: adjusted where there are several pairs."""
        test = next(test for test in self.tests if test.name == name)
        return test.p if self.pairs == 1 else test.p_holm

    def shown(self, name: str) -> bool:
        return (p := self.p(name)) is not None and p <= self.alpha


def verdict(findings: Findings) -> ComparisonVerdict:
    """The first rule that applies (module docstring)."""
    a, b = findings.a, findings.b
    if a.all_degenerate and b.all_degenerate:
        return ComparisonVerdict(
            code="all_degenerate",
            text=f"Every seed of {a.name} and of {b.name} is degenerate: neither learned, and there is nothing to "
            f"compare.{_notes(findings)}",
        )
    if min(len(a.scores), len(b.scores)) < 2:
        return _by_failures(findings) or _not_enough(findings)
    if findings.attainable is None or findings.attainable > findings.alpha:
        return _not_enough(findings)
    return _by_means(findings)


def _by_failures(findings: Findings) -> ComparisonVerdict | None:
    """A correlation is undefined for constant predictions: then a recipe that never learns has no scores to compare."""
    a, b = findings.a, findings.b
    if not findings.shown("fisher") or a.all_degenerate == b.all_degenerate:
        return None
    winner, loser = (b, a) if a.all_degenerate else (a, b)
    return ComparisonVerdict(
        code="b_better" if winner is b else "a_better",
        text=f"{winner.name} is better than {loser.name}: every seed of {loser.name} is degenerate, too many of them without "
        f"a score for means to be compared; {_failures(findings)}.{_notes(findings)}",
    )


def _by_means(findings: Findings) -> ComparisonVerdict:
    a, b = findings.a, findings.b
    difference = difference_of_means(a.scores, b.scores)
    assert difference is not None, "each job has two scores"
    means = f"{a.name} {number(a.report.mean)}, {b.name} {number(b.report.mean)} ({_evidence(findings)})"
    if all(findings.p(name) is None or findings.shown(name) for name in HEADLINE):
        code: Literal["a_better", "b_better"] = "b_better" if difference > 0 else "a_better"
        winner, loser = (b, a) if difference > 0 else (a, b)
        text = (
            f"{winner.name} is better than {loser.name} by {number(abs(difference))} {a.report.metric} on average over "
            f"seeds: {means}."
        )
        return ComparisonVerdict(code=code, text=text + _besides(findings) + _notes(findings))
    text = f"No difference shown at alpha {findings.alpha:g}: {means}. That is not the same as equal.{_range(findings)}"
    return ComparisonVerdict(
        code="no_difference_shown", text=text + _besides(findings) + _notes(findings)
    )


def _not_enough(findings: Findings) -> ComparisonVerdict:
    a, b, needed = findings.a, findings.b, seeds_for(findings.alpha, findings.pairs)
    over = "" if findings.pairs == 1 else f" over {findings.pairs} pairs"
    if needed is None:
        cure = "more than the permutation test can tell apart with any number of seeds"
    else:
        cure = f"it takes {needed} seeds a job, and then only if every score of one lies above every score of the other"
        if needed < MIN_SEEDS:
            cure += f"; with fewer than {MIN_SEEDS} the spread is hardly known either"
    return ComparisonVerdict(
        code="not_enough_seeds",
        text=f"Not enough seeds: {count(len(a.scores), 'score')} of {a.name} and {len(b.scores)} of {b.name} cannot show a "
        f"difference at alpha {findings.alpha:g}{over}, however large; {cure}.{_notes(findings)}",
        seeds_needed=needed,
    )


def _evidence(findings: Findings) -> str:
    a, b = findings.a, findings.b
    found = ((name, findings.p(name)) for name in HEADLINE)
    tests = ", ".join(f"{TEST_NAMES[name]} p {p_value(p)}" for name, p in found if p is not None)
    adjusted = "" if findings.pairs == 1 else f" (Holm over {findings.pairs} pairs)"
    bounds = welch_interval(a.scores, b.scores)
    difference = difference_of_means(a.scores, b.scores)
    said = "" if bounds is None else f"difference {number(difference)}, 95 % {interval(bounds)}; "
    return f"{said}{tests}{adjusted}; {len(a.scores)} and {len(b.scores)} seeds"


def p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _range(findings: Findings) -> str:
    bounds = welch_interval(findings.a.scores, findings.b.scores)
    return "" if bounds is None else f" Differences from {interval(bounds)} go with these seeds."


def _besides(findings: Findings) -> str:
    """What the other tests show: spread and failures are results of their own, whatever the means do."""
    said = ""
    a, b = findings.a, findings.b
    spreads = a.report.std, b.report.std
    if findings.shown("brown_forsythe") and spreads[0] is not None and spreads[1] is not None:
        steady, other = (a, b) if spreads[0] < spreads[1] else (b, a)
        spread = (
            f"std {number(steady.report.std)} against {number(other.report.std)} "
            f"({TEST_NAMES['brown_forsythe']} p {p_value(findings.p('brown_forsythe') or 0.0)})"
        )
        if (
            2 * steady.report.degenerate > steady.report.n
        ):  # scores that agree because nothing was learnt are no stability
            said += f" That the scores of {steady.name} lie closer together ({spread}) is no merit: most of its seeds learnt nothing."
        else:
            said += f" The seeds of {steady.name} agree better: {spread}."
    if findings.shown("fisher"):
        said += f" They also fail at different rates: {_failures(findings)}."
    return said


def _failures(findings: Findings) -> str:
    a, b = findings.a, findings.b
    return (
        f"{a.bad} of {a.ended} runs of {a.name} and {b.bad} of {b.ended} of {b.name} are degenerate or failed "
        f"({TEST_NAMES['fisher']} p {p_value(findings.p('fisher') or 0.0)})"
    )


def _notes(findings: Findings) -> str:
    """What a comparison of means would otherwise hide: open, failed, discarded, degenerate and unscored runs."""
    notes = []
    for job in (findings.a, findings.b):
        report = job.report
        if report.degenerate and report.n:
            notes.append(f"{of(report.degenerate, report.n, 'seed')} of {job.name} degenerate")
        if (unscored := report.n - len(job.scores)) > 0:
            notes.append(f"{count(unscored, 'seed')} of {job.name} without a score and in no mean")
        if report.failed:
            notes.append(f"{count(report.failed, 'run')} of {job.name} failed and not counted")
        if report.discarded:
            notes.append(
                f"{count(report.discarded, 'run')} of {job.name} discarded early: its mean is of the survivors"
            )
        if report.provisional:
            notes.append(f"{job.name} still has open runs")
    return f" Note: {'; '.join(notes)}." if notes else ""
