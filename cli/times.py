"""The one format in which commands show a time: local, with its offset from UTC."""

from datetime import UTC, datetime


def format_time(unix_seconds: float, *, with_seconds: bool = False) -> str:
    """Format a time, e.g. ``2026-11-29 14:50 +00:00``."""
    local = datetime.fromtimestamp(unix_seconds, UTC).astimezone()
    clock = "%H:%M:%S" if with_seconds else "%H:%M"
    return f"{local:%Y-%m-%d} {local.strftime(clock)} {local.isoformat()[-6:]}"
