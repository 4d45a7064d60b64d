"""What can be shown before training: a file's first rows, a planned job, the recipes."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.markup import escape

from cli.api_models import DryRun, Estimate, Pilots, PlannedRun, Preview, Recipe
from cli.api_models.jobs import LabelCount
from cli.client import Client
from cli.errors import CliError
from cli.file_findings import format_file
from cli.option_values import parse_header
from cli.rows import Column, Kind, RowTable
from cli.tables import (
    format_cautions,
    format_duration,
    format_recipe_summary,
    make_console,
)
from shared.domain.states import Purpose
from shared.domain.wording import choose_verb, format_count, join_words

MAX_LABELS_SHOWN = 20


def format_dry_run(dry_run: DryRun) -> RenderableType:
    """Format the planned job: its task, recipe, runs and expected time."""
    lines = [_format_task(dry_run)]
    lines += [_format_labels(dry_run.dataset.labels)] if dry_run.dataset.labels else []
    if dry_run.resolved_recipe is not None:
        lines.append(format_recipe_summary(dry_run.model, dry_run.resolved_recipe))
    pilots = [run for run in dry_run.runs if run.purpose == Purpose.PILOT]
    if dry_run.pilots is not None:
        lines.append(_format_planned_pilots(dry_run.model, dry_run.pilots, pilots))
    lines += [f"  {setting}: {note}" for setting, note in dry_run.recipe_notes.items()]
    lines.append(_format_estimate(dry_run.estimate, len(dry_run.runs) - len(pilots)))
    return Group(format_cautions(dry_run.warnings), *map(escape, lines))


def show_preview(
    client: Client, path: Path, model: str, rows: int, header: str | None = None
) -> None:
    """Print a file's profile and its first rows as tokens; delete the upload afterwards."""
    file = client.upload_file(path)
    asked = {} if header is None else {"header": header}
    try:
        profile = None
        if header is not None:
            profile = client.validate_file(file.id, {"header": parse_header(header)})
        make_console().print(format_file(file, profile))
        preview = client.preview_file(file.id, model=model, n=rows, **asked)
        make_console().print(_format_preview(preview))
    finally:
        client.delete_file(file.id)


def show_recipes(
    client: Client, name: str | None, model: str, train_rows: int, revision: str | None = None
) -> None:
    """Print one line per recipe, or every setting of the named one."""
    found = client.list_recipes(model, train_rows, revision)
    if name is None:
        make_console().print(_build_recipes_table(found))
        return
    known = {recipe.id: recipe for recipe in found}
    if name not in known:
        raise CliError(f"There is no preset {name!r}. Choose one of: {', '.join(known)}.")
    make_console().print(_format_recipe_settings(known[name]))


def _format_task(dry_run: DryRun) -> str:
    task = dry_run.task
    names = ("text_column", "text_pair_column")
    texts = " and ".join(str(task[name]) for name in names if task.get(name) is not None)
    splits = dry_run.dataset.rows
    rows = ", ".join(f"{amount} {split}" for split, amount in splits.items() if amount)
    return (
        f"{task['type']}: {texts} → {task['label_column']}, scored by {dry_run.metric}; "
        f"rows: {rows}"
    )


def _format_labels(labels: Sequence[LabelCount]) -> str:
    shown = [f"{label.label} {label.count:,}" for label in labels[:MAX_LABELS_SHOWN]]
    hidden = len(labels) - len(shown)
    more = f" and {hidden:,} more" if hidden else ""
    return f"{format_count(len(labels), 'label')} by training rows: {', '.join(shown)}{more}"


def _format_planned_pilots(model: str, plan: Pilots, pilots: Sequence[PlannedRun]) -> str:
    bound = (
        ""
        if plan.limit is None
        else f", which takes at most {format_count(plan.limit, 'step')} in all"
    )
    return (
        f"{model}: {format_count(len(pilots), 'pilot')} of "
        f"{format_count(pilots[0].total_steps, 'step')} "
        f"{choose_verb(len(pilots), 'begins', 'begin')} the search for "
        f"{join_words(plan.automatic)}{bound}"
    )


def _format_estimate(estimate: Estimate, main_runs: int) -> str:
    duration = (
        "duration unknown"
        if estimate.seconds is None
        else f"about {format_duration(estimate.seconds)}"
    )
    return (
        f"{format_count(main_runs, 'run')}, {format_count(estimate.steps, 'step')} in total, "
        f"{estimate.slots} at a time: {duration}. {estimate.reason}"
    )


def _format_preview(preview: Preview) -> RenderableType:
    table = RowTable(
        "row",
        Column("label", Kind.SENTENCE),
        "tokens",
        Column("as read by the model", Kind.SENTENCE),
    )
    for row in preview.data:
        label = row.label if isinstance(row.label, str) else ", ".join(row.label)
        length = f"{row.num_tokens}{' (truncated)' if row.truncated else ''}"
        table.add_row(str(row.row), label, length, " ".join(row.tokens))
    summary = (
        f"{preview.truncated} of {format_count(len(preview.data), 'row')} shown "
        f"{choose_verb(preview.truncated, 'is', 'are')} truncated to "
        f"{preview.max_seq_length} tokens"
    )
    return Group(table, summary)


def _build_recipes_table(recipes: list[Recipe]) -> RowTable:
    table = RowTable(
        Column("recipe", Kind.ID),
        "steps",
        "learning rate",
        Column("chosen by pilots", Kind.SENTENCE),
        Column("", Kind.SENTENCE),
    )
    for recipe in recipes:
        values = recipe.resolved_recipe
        searched = ", ".join(recipe.automatic) or "-"
        table.add_row(
            recipe.id,
            str(values["max_steps"]),
            f"{values['learning_rate']:g}",
            searched,
            recipe.description,
        )
    return table


def _format_recipe_settings(recipe: Recipe) -> RenderableType:
    table = RowTable(
        Column("setting", Kind.ID), Column("value", Kind.SENTENCE), Column("", Kind.SENTENCE)
    )
    for name, value in recipe.resolved_recipe.items():
        searched = "chosen by pilots, starting from this value" if name in recipe.automatic else ""
        table.add_row(name, str(value), recipe.recipe_notes.get(name, searched))
    return Group(escape(recipe.description), "", table)
