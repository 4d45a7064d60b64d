"""What is known before anything is trained: a file as it will be read, a job as it would be,
the recipes.
"""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from cli.api_models import DryRun, File, Preview, Recipe
from cli.client import Client
from cli.errors import CliError
from cli.tables import format_count, format_duration, format_recipe_summary, make_console
from shared.domain.states import Purpose


def format_dry_run(dry_run: DryRun) -> RenderableType:
    """How the request was understood, what it comes to, and how long that takes."""
    rows = ", ".join(
        f"{amount} {split}" for split, amount in dry_run.dataset.rows.items() if amount
    )
    task = dry_run.task
    columns = " and ".join(
        str(task[name])
        for name in ("text_column", "text_pair_column")
        if task.get(name) is not None
    )
    lines = [
        (
            f"{task['type']}: {columns} → {task['label_column']}, scored by {dry_run.metric}; "
            f"rows: {rows}"
        )
    ]
    if dry_run.resolved_recipe is not None:
        lines.append(format_recipe_summary(dry_run.model, dry_run.resolved_recipe))
    pilots = [run for run in dry_run.runs if run.purpose == Purpose.PILOT]
    if dry_run.pilots is not None:
        searched = " and ".join(dry_run.pilots.automatic)
        lines.append(
            f"{dry_run.model}: {format_count(len(pilots), 'pilot')} of "
            f"{pilots[0].total_steps} steps find out {searched}"
        )
    lines += [f"  {setting}: {note}" for setting, note in dry_run.recipe_notes.items()]
    estimate = dry_run.estimate
    main = len(dry_run.runs) - len(pilots)
    took = (
        "how long cannot be said"
        if estimate.seconds is None
        else f"about {format_duration(estimate.seconds)}"
    )
    lines.append(
        f"{format_count(main, 'run')}, {estimate.steps} steps in all, {estimate.slots} at "
        f"a time: {took}. {estimate.reason}"
    )
    lines += [f"Warning: {warning.message}" for warning in dry_run.warnings]
    return Group(*map(escape, lines))


def show_preview(client: Client, path: Path, model: str, rows: int) -> None:
    """Print what a file holds, what is wrong with it, and how its first rows are read; it does
    not stay with the service.
    """
    file = client.upload_file(path)
    try:
        make_console().print(_format_file(file))
        make_console().print(_format_preview(client.preview_file(file.id, model=model, n=rows)))
    finally:
        client.delete_file(file.id)


def show_recipes(client: Client, name: str | None, model: str, train_rows: int) -> None:
    """Print all presets, a line each, or one with every value and why."""
    found = client.list_recipes(model, train_rows)
    if name is None:
        make_console().print(_build_recipes_table(found))
        return
    known = {recipe.id: recipe for recipe in found}
    if name not in known:
        raise CliError(f"No recipe is named {name!r}; there are {', '.join(known)}.")
    make_console().print(_format_recipe_settings(known[name]))


def _format_file(file: File) -> RenderableType:
    lines = [file.status_details or file.filename]
    if file.profile is not None:
        lines += [f"Row {problem.row}: {problem.message}" for problem in file.profile.errors]
        hidden = file.profile.errors_total - len(file.profile.errors)
        lines += [f"… and {hidden} more rows that cannot be used"] if hidden else []
        lines += [f"Warning: {warning.message}" for warning in file.profile.warnings]
    return Group(*map(escape, lines), "")


def _format_preview(preview: Preview) -> RenderableType:
    table = Table("row", "label", "tokens", "as the model reads it", box=None)
    for row in preview.data:
        label = row.label if isinstance(row.label, str) else ", ".join(row.label)
        length = f"{row.num_tokens}{' (cut)' if row.truncated else ''}"
        table.add_row(str(row.row), escape(label), length, escape(" ".join(row.tokens)))
    said = (
        f"{preview.truncated} of these {len(preview.data)} rows are cut to "
        f"{preview.max_seq_length} tokens"
    )
    return Group(table, said)


def _build_recipes_table(recipes: list[Recipe]) -> Table:
    table = Table("recipe", "steps", "rate", "found by pilots", "", box=None)
    for recipe in recipes:
        values = recipe.resolved_recipe
        searched = ", ".join(recipe.automatic) or "-"
        table.add_row(
            recipe.id,
            str(values["max_steps"]),
            f"{values['learning_rate']:g}",
            searched,
            escape(recipe.description),
        )
    return table


def _format_recipe_settings(recipe: Recipe) -> RenderableType:
    table = Table("setting", "value", "", box=None)
    for name, value in recipe.resolved_recipe.items():
        searched = "pilots find it out, beginning here" if name in recipe.automatic else ""
        table.add_row(name, escape(str(value)), escape(recipe.recipe_notes.get(name, searched)))
    return Group(escape(recipe.description), "", table)
