"""Sentences beside a pair's verdict: the other tests, and what a comparison of means hides."""

from collections.abc import Iterator

from shared.report.comparison.findings import PairFindings
from shared.report.comparison.schemas import ComparisonInput
from shared.report.formatting import choose_verb, format_count, format_fraction, format_spread

TEST_NAMES = {
    "welch": "Welch's t test",
    "permutation": "permutation test",
    "paired_permutation": "paired permutation test",
    "brown_forsythe": "Brown-Forsythe test",
    "fisher": "Fisher's exact test",
}
"""Names of the tests in sentences."""


def format_p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def format_other_tests(findings: PairFindings) -> str:
    """Say what the other tests show: differences in spread and failures are results of their
    own, whether or not the means differ.
    """
    text = ""
    if findings.is_significant("brown_forsythe"):
        text += _format_spreads(findings)
    if findings.is_significant("fisher"):
        text += f" The failure rates differ as well: {format_failure_rates(findings)}."
    return text


def _format_spreads(findings: PairFindings) -> str:
    a, b = findings.a, findings.b
    if a.report.std is None or b.report.std is None:
        return ""
    steady, other = (a, b) if a.report.std < b.report.std else (b, a)
    spread = (
        f"std {format_spread(steady.report.std)} against {format_spread(other.report.std)} "
        f"({_format_test(findings, 'brown_forsythe')})"
    )
    # scores that agree because nothing was learned do not show stability
    if 2 * steady.report.degenerate > steady.report.n:
        return (
            f" The scores of {steady.name} vary less ({spread}), but only because most of its "
            f"{steady.report.run_noun}s learned nothing."
        )
    return f" The scores of {steady.name} vary less: {spread}."


def format_failure_rates(findings: PairFindings) -> str:
    a, b = findings.a, findings.b
    return (
        f"{a.unsuccessful_count} of {format_count(a.ended_count, 'run')} of {a.name} and "
        f"{b.unsuccessful_count} of {b.ended_count} of {b.name} are degenerate or failed "
        f"({_format_test(findings, 'fisher')})"
    )


def _format_test(findings: PairFindings, name: str) -> str:
    return f"{TEST_NAMES[name]} p {format_p_value(findings.get_p(name) or 0.0)}"


def format_notes(findings: PairFindings) -> str:
    """Mention open, failed, discarded, degenerate and unscored runs."""
    notes = [note for job in (findings.a, findings.b) for note in _iterate_notes(job)]
    return f" Note: {'; '.join(notes)}." if notes else ""


def _iterate_notes(job: ComparisonInput) -> Iterator[str]:
    report = job.report
    if report.degenerate and report.n:
        runs = format_fraction(report.degenerate, report.n, report.run_noun)
        yield f"{runs} of {job.name} {choose_verb(report.degenerate, 'is', 'are')} degenerate"
    if (unscored := report.n - len(job.scores)) > 0:
        verb = choose_verb(unscored, "has", "have")
        pronoun = "it" if unscored == 1 else "them"
        runs = format_count(unscored, report.run_noun)
        yield f"{runs} of {job.name} {verb} no score, so the mean leaves {pronoun} out"
    if report.failed:
        verb = choose_verb(report.failed, "is", "are")
        yield f"{format_count(report.failed, 'run')} of {job.name} failed and {verb} not counted"
    if report.discarded:
        verb = choose_verb(report.discarded, "was", "were")
        runs = f"{format_count(report.discarded, 'run')} of {job.name}"
        yield f"{runs} {verb} discarded early, so its mean covers only the kept runs"
    if report.provisional:
        yield f"{job.name} still has open runs"
