"""What is known before anything is trained: a file as it will be read, a job as it would be, the recipes."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from cli.api_models import DryRun, File, Preview, Recipe
from cli.client import Client
from cli.errors import CliError
from cli.tables import counted, duration, make_console, recipe_line
from shared.domain.states import Purpose


def dry_run_view(planned: DryRun) -> RenderableType:
    """How the request was understood, what it comes to, and how long that takes."""
    rows = ", ".join(
        f"{amount} {split}" for split, amount in planned.dataset.get("rows", {}).items() if amount
    )
    task = planned.task
    columns = " and ".join(
        str(task[name])
        for name in ("text_column", "text_pair_column")
        if task.get(name) is not None
    )
    lines = [
        f"{task['type']}: {columns} → {task['label_column']}, scored by {planned.metric}; rows: {rows}"
    ]
    if planned.resolved_recipe is not None:
        lines.append(recipe_line(planned.model, planned.resolved_recipe))
    pilots = [run for run in planned.runs if run.purpose == Purpose.PILOT]
    if planned.pilots is not None:
        searched = " and ".join(planned.pilots["automatic"])
        lines.append(
            f"{planned.model}: {counted(len(pilots), 'pilot')} of {pilots[0].total_steps} steps find out {searched}"
        )
    lines += [f"  {setting}: {note}" for setting, note in planned.recipe_notes.items()]
    estimate = planned.estimate
    main = len(planned.runs) - len(pilots)
    took = (
        "how long cannot be said"
        if estimate.seconds is None
        else f"about {duration(estimate.seconds)}"
    )
    lines.append(
        f"{counted(main, 'run')}, {estimate.steps} steps in all, {estimate.slots} at a time: {took}. {estimate.reason}"
    )
    lines += [f"Warning: {warning.message}" for warning in planned.warnings]
    return Group(*map(escape, lines))


def preview(client: Client, path: Path, model: str, rows: int) -> None:
    """Print what a file holds, what is wrong with it, and how its first rows are read; it does not stay with the service."""
    file = client.upload(path)
    try:
        make_console().print(_file_view(file))
        make_console().print(_preview_view(client.preview(file.id, model=model, n=rows)))
    finally:
        client.delete_file(file.id)


def recipes(client: Client, name: str | None, model: str, train_rows: int) -> None:
    """Print all presets, a line each, or one with every value and why."""
    found = client.recipes(model, train_rows)
    if name is None:
        make_console().print(_recipes_table(found))
        return
    known = {recipe.id: recipe for recipe in found}
    if name not in known:
        raise CliError(f"No recipe is named {name!r}; there are {', '.join(known)}.")
    make_console().print(_recipe_view(known[name]))


def _file_view(file: File) -> RenderableType:
    lines = [file.status_details or file.filename]
    if file.profile is not None:
        lines += [f"Row {problem.row}: {problem.message}" for problem in file.profile.errors]
        hidden = file.profile.errors_total - len(file.profile.errors)
        lines += [f"… and {hidden} more rows that cannot be used"] if hidden else []
        lines += [f"Warning: {warning.message}" for warning in file.profile.warnings]
    return Group(*map(escape, lines), "")


def _preview_view(shown: Preview) -> RenderableType:
    table = Table("row", "label", "tokens", "as the model reads it", box=None)
    for row in shown.data:
        label = row.label if isinstance(row.label, str) else ", ".join(row.label)
        length = f"{row.num_tokens}{' (cut)' if row.truncated else ''}"
        table.add_row(str(row.row), escape(label), length, escape(" ".join(row.tokens)))
    said = f"{shown.truncated} of these {len(shown.data)} rows are cut to {shown.max_seq_length} tokens"
    return Group(table, said)


def _recipes_table(found: list[Recipe]) -> Table:
    table = Table("recipe", "steps", "rate", "found by pilots", "", box=None)
    for recipe in found:
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


def _recipe_view(recipe: Recipe) -> RenderableType:
    table = Table("setting", "value", "", box=None)
    for name, value in recipe.resolved_recipe.items():
        searched = "pilots find it out, beginning here" if name in recipe.automatic else ""
        table.add_row(name, escape(str(value)), escape(recipe.recipe_notes.get(name, searched)))
    return Group(escape(recipe.description), "", table)
