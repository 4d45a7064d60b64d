"""Formatting of the page's cells and badges: the filters of its template."""

from collections.abc import Callable, Mapping

from shared.report.comparison.notes import TEST_NAMES
from shared.report.formatting import (
    format_baseline_title,
    format_count,
    format_interval,
    format_number,
    format_percent,
    format_seeds,
    format_spread,
)
from shared.report.missing_score import explain_missing_score
from shared.report.schemas import ReportedRun

MISSING = "–"
VERDICT_TONES = {
    "good": frozenset({"stable", "b_better", "a_better"}),
    "bad": frozenset(
        {
            "all_degenerate",
            "leakage",
            "no_result",
            "not_better_than_baseline",
            "some_degenerate",
            "unstable",
        }
    ),
}
"""Colors of the verdicts; every other code is neutral."""


def format_value(value: object) -> str:
    """Format a setting or another value of any type."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {format_value(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(format_value, value)) or MISSING
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _format_number_cell(value: float | None) -> str:
    return MISSING if value is None else format_number(value)


def _format_interval_cell(bounds: tuple[float, float] | None) -> str:
    return MISSING if bounds is None else format_interval(bounds)


def _format_spread_cell(value: float | None) -> str:
    return MISSING if value is None else format_spread(value)


def _format_code(code: str) -> str:
    return code.replace("_", " ")


def _get_verdict_tone(code: str) -> str:
    return next((tone for tone, codes in VERDICT_TONES.items() if code in codes), "neutral")


def _format_run_seeds(run: ReportedRun) -> str:
    return format_seeds(run.init_seed, run.data_seed, run.fold)


FILTERS: Mapping[str, Callable[..., str]] = {
    "missing_score": explain_missing_score,
    "count": format_count,
    "number": _format_number_cell,
    "spread": _format_spread_cell,
    "interval": _format_interval_cell,
    "percent": format_percent,
    "tone": _get_verdict_tone,
    "words": _format_code,
    "shown": format_value,
    "baseline": format_baseline_title,
    "seeds_of": _format_run_seeds,
    "test_name": TEST_NAMES.__getitem__,
}
"""Filters of the template by name."""
