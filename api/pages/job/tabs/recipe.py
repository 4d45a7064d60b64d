"""The tab of the recipe: what differs from the preset, what was chosen and why, and the model."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import PydanticUndefined

from api.jobs.schemas import JobObject
from api.pages.job.page import JobPage, Tab
from api.pages.recipe_reasons import explain_recipe, find_preset
from shared.recipe import PRESET_DESCRIPTIONS, PRESETS, Recipe
from shared.recipe.fields import Preset
from shared.report.page.cells import format_value
from shared.report.page.tables import build_pilot_table

_DEFAULTS = {name: field.default for name, field in Recipe.model_fields.items()}


class Setting(NamedTuple):
    """A setting with its value, and where that comes from."""

    name: str
    value: object
    reason: str


def build(shown: JobPage) -> dict[str, object]:
    job = shown.job
    resolved = _get_recipe(job)
    reasons = explain_recipe(job.recipe, job.recipe_notes)
    every = [
        Setting(name, value, reasons.get(name, ""))
        for name, value in resolved.items()
        if name not in ("version", "preset")
    ]
    preset = find_preset(job.recipe)
    return {
        "preset_text": None if preset is None else PRESET_DESCRIPTIONS[preset],
        "given": _list_given(job.recipe, resolved, preset),
        "chosen": [one for one in every if one.name in job.recipe_notes],
        "further_notes": {
            name: note for name, note in job.recipe_notes.items() if name not in resolved
        },
        "settings": every,
        "is_rule": job.resolved_recipe is None and job.pilots is not None,
        "pilots": None if job.pilots is None else build_pilot_table("Pilots", job.pilots),
        "rounds": _list_rounds(job.pilots),
    }


def _get_recipe(job: JobObject) -> Mapping[str, Any]:
    """Return the resolved recipe, or before the pilots have decided that of the rules."""
    if isinstance(job.resolved_recipe, Recipe):
        return job.resolved_recipe.model_dump(mode="json")
    if job.resolved_recipe is not None:
        return job.resolved_recipe
    rule = (job.pilots or {}).get("rule")
    return rule if isinstance(rule, dict) else {}


def _list_given(
    requested: Mapping[str, object], resolved: Mapping[str, Any], preset: Preset | None
) -> list[Setting]:
    """List the settings that the request has changed, with what they are without it."""
    own = {**_DEFAULTS, **({} if preset is None else PRESETS[preset])}
    return [
        Setting(name, resolved.get(name, value), _describe_default(own.get(name)))
        for name, value in requested.items()
        if name != "preset"
    ]


def _describe_default(value: object) -> str:
    if value is None or value is PydanticUndefined:  # the length is given in the other unit
        return "–"
    return "chosen automatically" if value == "auto" else format_value(value)


def _list_rounds(pilots: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    rounds = (pilots or {}).get("rounds")
    return rounds if isinstance(rounds, list) else []


TAB = Tab("recipe", "Recipe", 60, "job/recipe.html.j2", build)
