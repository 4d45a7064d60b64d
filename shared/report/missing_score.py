"""Why a report has no score, in a few words."""

from shared.domain.wording import format_count
from shared.report.formatting import format_fraction
from shared.report.schemas import StabilityReport


def explain_missing_score(report: StabilityReport) -> str:
    """Say why the mean is null, to follow "no score: "."""
    if report.n:
        runs = format_fraction(report.n, report.n, "succeeded run")
        return f"{report.metric} is undefined for {runs}"
    ended = {
        "failed": report.failed,
        "cancelled": report.cancelled,
        "discarded": report.discarded,
    }
    causes = [f"{amount} {how}" for how, amount in ended.items() if amount]
    if report.provisional:
        causes.insert(0, "runs are still open")
    if not causes:
        causes = [f"{format_count(report.planned, 'run')} planned, none has ended"]
    return f"no run has succeeded ({', '.join(causes)})"
