"""Formatting of times, durations, sizes and counts on pages: filters of their templates."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from shared.domain.wording import format_count, format_size

MISSING = "–"


def format_time(seconds: float | None) -> str:
    """Format Unix seconds as a day and a minute."""
    return MISSING if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%d %b %Y %H:%M}"


def format_iso_time(seconds: float) -> str:
    """Format Unix seconds for programs."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def format_duration(seconds: float | None) -> str:
    """Format a duration in its two largest units."""
    if seconds is None:
        return MISSING
    whole = max(0, round(seconds))
    days, hours, minutes = whole // 86_400, whole // 3600, whole // 60
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


PAGE_FILTERS: Mapping[str, Callable[..., str]] = {
    "time": format_time,
    "iso_time": format_iso_time,
    "duration": format_duration,
    "count": format_count,
    "size": format_size,
}
