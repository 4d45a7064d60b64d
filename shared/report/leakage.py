"""What leaked rows do to a verdict: scores on copies of training rows measure memory."""

from shared.report.findings import ReportFindings
from shared.report.formatting import capitalize_first, choose_verb, format_fraction
from shared.report.schemas import Verdict

LEAK_LIMIT = 0.1
"""Share of leaked rows from which the scores are no measure of new texts: on those rows memory is
enough, so the leak alone may raise accuracy by up to this share. A convention of this report.
"""
MEASURED_CODES = frozenset(
    {
        "not_better_than_baseline",
        "not_enough_seeds",
        "too_few_rows",
        "unstable",
        "some_failed",
        "stable",
    }
)


def qualify_by_leak(findings: ReportFindings, verdict: Verdict) -> Verdict:
    """Say first that many of the evaluated rows have the text of a training row.

    A code that judges the scores becomes ``leakage``.
    """
    leak, split = findings.results.leak, findings.results.split
    if leak is None or leak.rows < LEAK_LIMIT * leak.total:
        return verdict
    rows = capitalize_first(format_fraction(leak.rows, leak.total, f"{split} row"))
    have = choose_verb(leak.rows, "has", "have")
    return Verdict(
        code="leakage" if verdict.code in MEASURED_CODES else verdict.code,
        text=f"{rows} {have} the text of a training row, so these scores do not measure how the "
        f"model does on new texts. {verdict.text}",
    )
