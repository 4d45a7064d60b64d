"""The plan and the state of a job's pilots, as stored in ``Job.pilots``."""

from typing_extensions import TypedDict

RecipeSettings = dict[str, object]
"""A recipe, or some of its settings, as JSON."""


class PilotSettings(TypedDict):
    """A value for each of the settings that pilots search."""

    reinit_layers: int | list[int]
    max_steps: int


class PilotCandidate(PilotSettings):
    """A candidate with the results of its pilots so far."""

    scores: list[float | None]
    """Validation score of each pilot; None where it failed or has none."""
    degenerate: int
    """Pilots no better than a constant answer."""
    failed: int
    mean: float | None
    """Mean of the defined scores."""


class PilotPlan(TypedDict):
    """The search for automatic settings: what is tried, what it reached, and the choice."""

    automatic: list[str]
    """Names of the settings to search: ``reinit_layers``, ``max_steps``."""
    rule: RecipeSettings
    """The resolved recipe by the rules alone; each candidate changes the automatic settings."""
    candidates: list[PilotCandidate]
    chosen: PilotSettings | None
    """None until the pilots have ended."""
    reason: str | None
    """Why ``chosen`` was chosen."""
    seeds: list[int]
    """Seeds of each candidate's pilots."""
    steps: int
    """Optimiser steps of all pilots planned so far."""
