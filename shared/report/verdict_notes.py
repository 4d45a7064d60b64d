"""Sentences beside a report's verdict: missing runs, and the comparison with the best baseline."""

from shared.report.findings import ReportFindings
from shared.report.formatting import (
    choose_verb,
    format_baseline,
    format_count,
    format_interval,
    format_number,
)


def format_missing_runs(findings: ReportFindings) -> str:
    text = ""
    if findings.failed:
        verb = choose_verb(findings.failed, "is", "are")
        text += (
            f" {format_count(findings.failed, 'run')} failed and {verb} missing from these numbers."
        )
    if findings.discarded:
        verb = choose_verb(findings.discarded, "was", "were")
        text += (
            f" {format_count(findings.discarded, 'run')} {verb} discarded early; the numbers cover "
            "only the kept runs."
        )
    return text


def format_baseline_comparison(findings: ReportFindings) -> str:
    """Compare with the best baseline; empty if the mean is clearly above it."""
    mean, bounds = findings.distribution.mean, findings.cautious_interval
    if mean is None or not findings.baselines:
        return ""
    score, name = findings.baselines[0]
    baseline = format_baseline_score(score, name)
    if mean <= score:
        return f" The mean is not above {baseline}."
    if bounds is None or bounds[0] > score:
        return ""
    source = " with the std that is not excluded" if findings.equal_scores else ""
    return (
        f" It is not shown to be better than {baseline}: the mean's 95% interval{source} is "
        f"{format_interval(bounds)}."
    )


def format_baseline_score(score: float, name: str) -> str:
    return f"{format_baseline(name)} ({format_number(score)})"
