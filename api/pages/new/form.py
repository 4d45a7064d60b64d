"""The fields of the form as the page shows them: what comes first, what is behind "more"."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from api.pages.new.draft import Draft, format_value
from api.pages.new.fields import FormField, list_fields
from shared.datasets import Validation

COLUMN_FIELDS: Final = ("task.text_column", "task.text_pair_column", "task.label_column")
FIRST_FIELDS: Final = frozenset(
    {*COLUMN_FIELDS, "task.header", "model", "recipe.preset", "runs.num_seeds", "suffix"}
)
"""They have places of their own; the others are listed by group."""
GROUP_TITLES: Final = {
    "": "Files, name and seed",
    "task": "Task",
    "split": "Validation and test rows",
    "recipe": "Recipe",
    "runs": "Seeds",
    "early_discard": "Early discard",
    "evaluation": "Scores",
    "artifacts": "What is kept",
    "hyperparameters": "The hosted API's hyperparameters",
}


class FieldGroup(NamedTuple):
    """Settings behind "more"."""

    title: str
    fields: Sequence[FormField]
    is_open: bool
    """Whether one of them is given, or refused."""


class Choice(NamedTuple):
    """An entry of a list to choose from."""

    value: str
    title: str


def list_groups(draft: Draft, errors: Mapping[str, str]) -> list[FieldGroup]:
    """List the groups of the fields that have no place of their own."""
    by_group: dict[str, list[FormField]] = {}
    for field in list_fields().values():
        if field.name not in FIRST_FIELDS:
            by_group.setdefault(field.group, []).append(field)
    used = {*draft.texts, *errors}
    return [
        FieldGroup(
            GROUP_TITLES.get(group, group.replace("_", " ").capitalize()),
            fields,
            any(field.name in used for field in fields),
        )
        for group, fields in by_group.items()
    ]


def list_columns(profile: Validation) -> list[Choice]:
    """List the columns of a file, as values of the fields that name a column."""
    field = list_fields()["task.text_column"]
    names = [column.name for column in profile.columns]
    choices = []
    for column in profile.columns:
        is_usable = column.name and len(column.name) <= 256 and names.count(column.name) == 1
        reference = column.name if is_usable else column.index
        title = column.name or f"column {column.index}"
        choices.append(Choice(format_value(field, reference), title))
    return choices


def describe_detected(profile: Validation, name: str) -> str:
    """Describe what happens if the field of a column is left empty."""
    detected = profile.detected
    found = None if detected is None else getattr(detected, name.removeprefix("task."))
    if found is None:
        return "none" if name == "task.text_pair_column" else "choose a column"
    title = f"column {found}" if isinstance(found, int) else found
    return f"detected: {title}"


def has_task(draft: Draft) -> bool:
    """Return whether the draft says how to read the file, so that its stored profile may differ."""
    return any(name.startswith("task.") for name in draft.texts)
