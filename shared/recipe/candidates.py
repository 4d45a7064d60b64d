"""Candidates: combinations of the settings that pilots can search."""

import math
from dataclasses import dataclass

from shared.recipe.pilot_schemas import PilotCandidate, PilotSettings
from shared.recipe.value import ForeignRecipe, Recipe

SettingValue = float | int | str | tuple[int, ...]
"""A value of a recipe's setting, hashable: a list of blocks is a tuple."""
NETWORK_SETTINGS = ("pair_encoding", "pooling", "head_first", "reinit_pooler", "reinit_layers")
"""Settings that belong together: what the head reads, and with which weights a run starts."""
SEARCHED_SETTINGS = (*NETWORK_SETTINGS, "learning_rate", "max_steps")
DEFAULTS: dict[str, SettingValue] = {
    "pair_encoding": "joined",
    "pooling": "family",
    "head_first": False,
    "reinit_pooler": False,
    "reinit_layers": 0,
    "learning_rate": 0.0,
}
"""Values of settings that an earlier version did not store."""


@dataclass(frozen=True)
class Candidate:
    """One combination of the settings that pilots can search."""

    settings: tuple[tuple[str, SettingValue], ...]

    @classmethod
    def create(cls, **settings: SettingValue | list[int] | None) -> "Candidate":
        """Create a candidate; other settings than the searched ones are left out."""
        return cls(
            tuple(
                (name, tuple(value) if isinstance(value, list) else value)
                for name in SEARCHED_SETTINGS
                if (value := settings.get(name)) is not None
            )
        )

    @classmethod
    def from_recipe(cls, recipe: Recipe | ForeignRecipe | PilotSettings) -> "Candidate":
        """Return the settings of a recipe that pilots can search."""
        return cls.create(**recipe.model_dump())

    def get(self, name: str) -> SettingValue:
        """Return the value of a setting, or what jobs stored without the setting mean."""
        return dict(self.settings).get(name, DEFAULTS.get(name, 0))

    def change(self, **settings: SettingValue) -> "Candidate":
        return Candidate.create(**{**dict(self.settings), **settings})

    def to_settings(self) -> PilotSettings:
        """Return the settings as a recipe has them."""
        return PilotSettings.model_validate(self._list_values())

    def change_recipe(self, recipe: Recipe | ForeignRecipe) -> Recipe | ForeignRecipe:
        """Return the recipe with the settings of the candidate."""
        changes = self._list_values()
        if self.max_steps != recipe.max_steps and isinstance(recipe, Recipe):
            changes["num_train_epochs"] = None
        return recipe.model_copy(update=changes)

    def to_untried(self) -> PilotCandidate:
        """Return the candidate as stored before any of its pilots has ended."""
        results = {"scores": [], "degenerate": 0, "failed": 0, "mean": None}
        return PilotCandidate.model_validate({**self._list_values(), **results})

    def _list_values(self) -> dict[str, object]:
        """Return the settings in the form of a recipe."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self.settings
        }

    @property
    def max_steps(self) -> int:
        steps = self.get("max_steps")
        assert isinstance(steps, int), "a length is a number of steps"
        return steps

    @property
    def learning_rate(self) -> float:
        rate = self.get("learning_rate")
        assert isinstance(rate, float), "a learning rate is a number"
        return rate

    @property
    def network(self) -> tuple[SettingValue, ...]:
        """The values of the network's settings."""
        return tuple(self.get(name) for name in NETWORK_SETTINGS)

    @property
    def depth(self) -> int:
        """Number of re-initialized blocks."""
        layers = self.get("reinit_layers")
        return len(layers) if isinstance(layers, tuple) else int(layers)

    def compute_rate_distance(self, other: "Candidate") -> float:
        """Return how often one learning rate has to be doubled to reach the other."""
        if not (self.learning_rate and other.learning_rate):
            return 0.0
        return abs(math.log2(self.learning_rate / other.learning_rate))


def describe_network(candidate: Candidate, *, pairs: bool) -> str:
    """Describe the network's settings in a phrase, after the word "with".

    For example: "joined texts, the family's head and 1 block re-initialized".
    """
    pooling = candidate.get("pooling")
    head = "the family's head" if pooling == "family" else f"{pooling} pooling"
    encoding = f"{candidate.get('pair_encoding')} texts, " if pairs else ""
    depth = candidate.depth
    blocks = "no block" if depth == 0 else "1 block" if depth == 1 else f"{depth} blocks"
    return f"{encoding}{head} and {blocks} re-initialized"
