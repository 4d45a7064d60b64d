"""Why the settings of a recipe have their values, for the plan of a job and for the job itself."""

from collections.abc import Mapping

from shared.recipe import PRESET_DESCRIPTIONS, PRESETS
from shared.recipe.fields import Preset

DEFAULT_PRESET: Preset = "stabilized"


def find_preset(requested: Mapping[str, object]) -> Preset | None:
    """Return the preset of a requested recipe; None for one that this version does not know."""
    name = requested.get("preset", DEFAULT_PRESET)
    return next((preset for preset in PRESETS if preset == name), None)


def explain_recipe(requested: Mapping[str, object], notes: Mapping[str, str]) -> dict[str, str]:
    """Return why settings have their values; the others have the same value in every preset."""
    preset = find_preset(requested)
    by_preset = (
        {}
        if preset is None
        else {
            "preset": PRESET_DESCRIPTIONS[preset],
            **dict.fromkeys(PRESETS[preset], "set by the preset"),
        }
    )
    given = [name for name in requested if name != "preset"]
    return {**by_preset, **dict.fromkeys(given, "given"), **notes}
