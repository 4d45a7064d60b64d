"""Pilots: short trial runs that search the automatic settings of a job's recipe.

This is the policy, as functions of numbers. It follows Zhang et al. 2021, section 6 (steps 200,
400, … 3200, chosen by validation), at a bounded cost:

1. Try depths 0, d and 2d, where d is a sixth of the blocks, each with two seeds and the length of
   the rule; with a given depth, try that one alone.
2. If the length is automatic and the best depth is still improving at its end, or has learned
   nothing, try twice the length. Repeat while the longer run is better and the cost stays within
   bounds (``shared.recipe.pilot_trials``).
3. Take the best mean validation score; ties go to the shallower and the shorter candidate
   (``shared.recipe.pilot_decision``).

Pilots see the validation rows alone, never the test rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.recipe.pilot_schemas import PilotCandidate, PilotPlan, PilotSettings
from shared.recipe.value import ForeignRecipe, Recipe

LayerSelection = int | tuple[int, ...]
"""``reinit_layers`` of a recipe, hashable."""

PILOT_SEEDS = 2
"""Pilots per candidate: a single one could be the unlucky seed that pilots should see through."""
FIRST_PILOT_SEED = 2**31
"""Pilot i of a candidate has this seed plus i. Callers' seeds are lower, so no run of a report
repeats a pilot."""


@dataclass(frozen=True)
class Candidate:
    """One combination of the automatic settings."""

    reinit_layers: LayerSelection
    max_steps: int

    @classmethod
    def from_recipe(cls, recipe: Recipe | ForeignRecipe | PilotSettings) -> "Candidate":
        """Return the settings of a recipe that pilots search."""
        layers = recipe.reinit_layers
        return cls(tuple(layers) if isinstance(layers, list) else layers, recipe.max_steps)

    def to_settings(self) -> PilotSettings:
        """Return the settings as a recipe has them."""
        return PilotSettings(reinit_layers=self._list_layers(), max_steps=self.max_steps)

    def change_recipe(self, recipe: Recipe | ForeignRecipe) -> Recipe | ForeignRecipe:
        """Return the recipe with the settings of the candidate."""
        changes = {"reinit_layers": self._list_layers(), "max_steps": self.max_steps}
        return recipe.model_copy(update=changes)

    def _list_layers(self) -> int | list[int]:
        """Return the re-initialized layers in the form of a recipe."""
        if isinstance(self.reinit_layers, int):
            return self.reinit_layers
        return list(self.reinit_layers)

    @property
    def depth(self) -> int:
        """Number of re-initialized blocks."""
        return (
            self.reinit_layers if isinstance(self.reinit_layers, int) else len(self.reinit_layers)
        )

    def to_untried(self) -> PilotCandidate:
        """Return the candidate as stored before any of its pilots has ended."""
        return PilotCandidate(
            reinit_layers=self._list_layers(),
            max_steps=self.max_steps,
            scores=[],
            degenerate=0,
            failed=0,
            mean=None,
        )


def plan_pilots(recipe: Recipe, automatic: Sequence[str], num_blocks: int) -> PilotPlan | None:
    """Return the first round of pilots; None if no setting is automatic.

    ``recipe`` is resolved by the rules; ``num_blocks`` can be re-initialized separately.
    """
    if not automatic:
        return None
    ruled = Candidate.from_recipe(recipe)
    depths: list[LayerSelection] = [ruled.reinit_layers]
    if "reinit_layers" in automatic:
        depths = [*list_depth_candidates(ruled.depth, num_blocks)]
    candidates = build_first_round(depths, ruled.max_steps)
    return PilotPlan(
        automatic=list(automatic),
        rule=recipe,
        candidates=[candidate.to_untried() for candidate in candidates],
        chosen=None,
        reason=None,
        seeds=[FIRST_PILOT_SEED + seed for seed in range(PILOT_SEEDS)],
        steps=PILOT_SEEDS * sum(candidate.max_steps for candidate in candidates),
    )


def list_depth_candidates(rule_depth: int, blocks: int) -> list[int]:
    """Return 0, the rule's depth (a sixth of the blocks) and twice that depth, ascending.

    Of BERT-large's 24 blocks: 0, 4 and 8, around the paper's 1 to 6. If a family's layers share
    their weights, the rule may be 0; then 0 is the only candidate.
    """
    return sorted({0, min(rule_depth, blocks), min(2 * rule_depth, blocks)})


def build_first_round(depths: Sequence[LayerSelection], max_steps: int) -> list[Candidate]:
    return [Candidate(depth, max_steps) for depth in depths]
