"""The plan and the state of a job's pilots, as in ``Job.pilots``."""

from pydantic import Field, JsonValue

from shared.domain.stored import OptionalKey, StoredModel
from shared.recipe.value import StoredRecipe


class PilotSettings(StoredModel):
    """A value for each of the settings that pilots can search.

    A setting that this version does not name is kept as it is.
    """

    pair_encoding: OptionalKey[str] = None
    """Missing, like the settings below, in jobs stored before pilots searched it."""
    pooling: OptionalKey[str] = None
    head_first: OptionalKey[bool] = None
    reinit_pooler: OptionalKey[bool] = None
    learning_rate: OptionalKey[float] = None
    reinit_layers: int | list[int]
    max_steps: int
    """Steps of the run; those of a pilot are often fewer than the recipe's."""


class PilotCandidate(PilotSettings):
    """A candidate with the results of its pilots so far."""

    scores: list[float | None]
    """Validation score of each pilot; None where it failed or has none."""
    degenerate: int
    """Pilots no better than a constant prediction."""
    failed: int
    mean: float | None
    """Mean of the defined scores."""


class PilotRound(StoredModel):
    """Pilots that are trained at the same time, before the next decision."""

    name: str
    """``networks``, ``rates``, ``higher_rates``, ``final`` or ``longer``."""
    candidates: list[PilotSettings]
    seeds: int
    """Pilots of each candidate."""
    first_seed: int = 0
    """Index of their first seed."""


class PilotPlan(StoredModel):
    """The search for automatic settings: what is tried, what it reached, and the choice."""

    automatic: list[str]
    """Names of the settings to search."""
    rule: StoredRecipe
    """The resolved recipe by the rules alone; each candidate changes the automatic settings."""
    rounds: OptionalKey[list[PilotRound]] = None
    """The rounds planned so far. Missing in jobs stored before there were rounds."""
    limit: OptionalKey[int] = None
    """Upper bound of the steps of all pilots. It doubles with the length if no pilot learns."""
    candidates: list[PilotCandidate]
    chosen: PilotSettings | None = None
    """None until the pilots have ended."""
    reason: str | None = None
    """Why ``chosen`` was chosen."""
    seeds: list[int]
    """Seeds of a candidate's pilots; each round says which of them it uses."""
    steps: int
    """Optimizer steps of all pilots planned so far."""


class PilotSearch(StoredModel):
    """What a report shows of a job's pilots, by the names of the candidates' settings."""

    candidates: list[dict[str, JsonValue]] = Field(default_factory=list)
    chosen: dict[str, JsonValue] | None = None
    reason: str | None = None
