"""``evenkeel usage``: what takes the room in the storage, the largest first."""

from rich.console import Group, RenderableType

from cli.api_models import StorageUsage
from cli.rows import Column, Kind, RowTable
from shared.domain.wording import choose_verb, format_count, format_size


def format_usage(usage: StorageUsage) -> RenderableType:
    """Format the items, and the sum that includes those that are not shown."""
    total = f"{format_size(usage.bytes)} in {format_count(usage.items, 'item')}"
    hidden = usage.items - len(usage.data)
    if hidden:
        shown = len(usage.data)
        total += f", of which the largest {shown} {choose_verb(shown, 'is', 'are')} shown"
    if not usage.data:
        return total
    table = RowTable(
        "size", "kind", Column("id", Kind.ID), Column("job", Kind.ID), Column("name", Kind.SENTENCE)
    )
    for item in usage.data:
        job = item.job_id if item.job_id is not None and item.job_id != item.id else "-"
        table.add_row(format_size(item.bytes), item.kind, item.id, job, item.name or "-")
    return Group(total, "", table)
