"""The plan and the state of a job's pilots, as in ``Job.pilots``."""

from pydantic import Field, JsonValue

from shared.domain.stored import StoredModel
from shared.recipe.value import StoredRecipe


class PilotSettings(StoredModel):
    """A value for each of the settings that pilots search."""

    reinit_layers: int | list[int]
    max_steps: int


class PilotCandidate(PilotSettings):
    """A candidate with the results of its pilots so far."""

    scores: list[float | None]
    """Validation score of each pilot; None where it failed or has none."""
    degenerate: int
    """Pilots no better than a constant prediction."""
    failed: int
    mean: float | None
    """Mean of the defined scores."""


class PilotPlan(StoredModel):
    """The search for automatic settings: what is tried, what it reached, and the choice."""

    automatic: list[str]
    """Names of the settings to search: ``reinit_layers``, ``max_steps``."""
    rule: StoredRecipe
    """The resolved recipe by the rules alone; each candidate changes the automatic settings."""
    candidates: list[PilotCandidate]
    chosen: PilotSettings | None = None
    """None until the pilots have ended."""
    reason: str | None = None
    """Why ``chosen`` was chosen."""
    seeds: list[int]
    """Seeds of each candidate's pilots."""
    steps: int
    """Optimizer steps of all pilots planned so far."""


class PilotSearch(StoredModel):
    """What a report shows of a job's pilots, by the names of the candidates' settings."""

    candidates: list[dict[str, JsonValue]] = Field(default_factory=list)
    chosen: dict[str, JsonValue] | None = None
    reason: str | None = None
