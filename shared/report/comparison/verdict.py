"""Verdict on a pair of jobs: a code and a few sentences, which say no more than the seeds support.

Two tests decide, Welch's and the permutation test of the means, both two-sided and unpaired. A
difference counts as shown if each of them that is defined reaches alpha, after Holm over all
pairs; requiring both keeps the rate of wrong claims at alpha or below. The rule, the first that
applies:

===================  ===========================================================================
code                 when
===================  ===========================================================================
all_degenerate       every succeeded run of both jobs is degenerate
a_better, b_better   means are undefined because every run of one job is degenerate and has no
                     score, and Fisher's test of the failure rates reaches alpha
not_enough_seeds     with so many scores, over so many pairs, even the largest difference has p
                     above alpha
a_better, b_better   both tests reach alpha
no_difference_shown  they do not
===================  ===========================================================================
"""

from typing import Literal

from shared.report.comparison.findings import PairFindings
from shared.report.comparison.inference import difference_of_means, welch_interval
from shared.report.comparison.notes import (
    TEST_NAMES,
    format_failure_rates,
    format_notes,
    format_other_tests,
    format_p_value,
)
from shared.report.comparison.permutation import compute_seeds_needed
from shared.report.comparison.schemas import ComparisonVerdict
from shared.report.formatting import format_count, format_interval, format_number
from shared.report.verdict import MIN_SEEDS

HEADLINE_TESTS = ("welch", "permutation")


def decide_pair_verdict(findings: PairFindings) -> ComparisonVerdict:
    """Apply the first rule that fits (module docstring)."""
    a, b = findings.a, findings.b
    if a.is_all_degenerate and b.is_all_degenerate:
        return ComparisonVerdict(
            code="all_degenerate",
            text=f"Every {findings.run_noun} of {a.name} and of {b.name} is degenerate: neither "
            f"has learned anything to compare.{format_notes(findings)}",
        )
    if min(len(a.scores), len(b.scores)) < 2:
        return _judge_failure_rates(findings) or _judge_seed_count(findings)
    if findings.smallest_attainable_p is None or findings.smallest_attainable_p > findings.alpha:
        return _judge_seed_count(findings)
    return _judge_means(findings)


def _judge_failure_rates(findings: PairFindings) -> ComparisonVerdict | None:
    """Judge by failures: a recipe that never learns has no scores to compare where the metric is
    a correlation, which is undefined for constant predictions.
    """
    a, b = findings.a, findings.b
    if not findings.is_significant("fisher") or a.is_all_degenerate == b.is_all_degenerate:
        return None
    winner, loser = (b, a) if a.is_all_degenerate else (a, b)
    return ComparisonVerdict(
        code="b_better" if winner is b else "a_better",
        text=f"{winner.name} is better than {loser.name}: every {loser.report.run_noun} of "
        f"{loser.name} is "
        "degenerate, and too few of them have a score to compare means; "
        f"{format_failure_rates(findings)}.{format_notes(findings)}",
    )


def _judge_means(findings: PairFindings) -> ComparisonVerdict:
    difference = difference_of_means(findings.a.scores, findings.b.scores)
    assert difference is not None, "each job has two scores"
    is_shown = all(
        findings.get_p(name) is None or findings.is_significant(name) for name in HEADLINE_TESTS
    )
    code: Literal["a_better", "b_better", "no_difference_shown"] = "no_difference_shown"
    if is_shown:
        code = "b_better" if difference > 0 else "a_better"
        text = _format_difference(findings, difference)
    else:
        text = (
            f"No difference shown at alpha {findings.alpha:g}: {_format_means(findings)}. This "
            f"does not mean that they are equal.{_format_compatible_range(findings)}"
        )
    return ComparisonVerdict(
        code=code, text=text + format_other_tests(findings) + format_notes(findings)
    )


def _format_difference(findings: PairFindings, difference: float) -> str:
    a, b = findings.a, findings.b
    winner, loser = (b, a) if difference > 0 else (a, b)
    return (
        f"{winner.name} is better than {loser.name} by {format_number(abs(difference))} "
        f"{a.report.metric} on average over {findings.run_noun}s: {_format_means(findings)}."
    )


def _judge_seed_count(findings: PairFindings) -> ComparisonVerdict:
    a, b = findings.a, findings.b
    needed = compute_seeds_needed(findings.alpha, findings.pair_count)
    over = "" if findings.pair_count == 1 else f" over {findings.pair_count} pairs"
    return ComparisonVerdict(
        code="not_enough_seeds",
        text=f"Not enough {findings.run_noun}s: {format_count(len(a.scores), 'score')} of "
        f"{a.name} and {len(b.scores)} of {b.name} cannot show a difference at alpha "
        f"{findings.alpha:g}{over}, however large. "
        f"{_advise_run_count(needed, findings.run_noun)}{format_notes(findings)}",
        seeds_needed=needed,
    )


def _advise_run_count(needed: int | None, noun: str) -> str:
    if needed is None:
        return f"The permutation test cannot reach this alpha with any number of {noun}s."
    advice = (
        f"At least {needed} {noun}s per job are needed, which suffice only if every score of one "
        "job is above every score of the other."
    )
    if needed < MIN_SEEDS:
        advice += f" With fewer than {MIN_SEEDS} {noun}s, the spread is hardly known either."
    return advice


def _format_means(findings: PairFindings) -> str:
    a, b = findings.a, findings.b
    return (
        f"{a.name} {format_number(a.report.mean)}, {b.name} {format_number(b.report.mean)} "
        f"({_format_evidence(findings)})"
    )


def _format_evidence(findings: PairFindings) -> str:
    a, b = findings.a, findings.b
    found = ((name, findings.get_p(name)) for name in HEADLINE_TESTS)
    tests = ", ".join(
        f"{TEST_NAMES[name]} p {format_p_value(p)}" for name, p in found if p is not None
    )
    adjusted = "" if findings.pair_count == 1 else f" (Holm over {findings.pair_count} pairs)"
    bounds = welch_interval(a.scores, b.scores, findings.metric)
    difference = difference_of_means(a.scores, b.scores)
    interval = (
        ""
        if bounds is None
        else f"difference {format_number(difference)}, 95% {format_interval(bounds)}; "
    )
    return f"{interval}{tests}{adjusted}; {len(a.scores)} and {len(b.scores)} {findings.run_noun}s"


def _format_compatible_range(findings: PairFindings) -> str:
    bounds = welch_interval(findings.a.scores, findings.b.scores, findings.metric)
    if bounds is None:
        return ""
    runs = f"these {findings.run_noun}s"
    return f" Differences from {format_interval(bounds)} are compatible with {runs}."
