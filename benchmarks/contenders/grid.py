"""The best of a fixed grid, picked by validation: what a patient user would find by hand.

Every candidate is a job of few seeds; the one with the best mean validation score is trained once
more with the seeds of the other contenders, which no candidate has used.
"""

import statistics
from collections.abc import Sequence
from itertools import product

from pydantic import JsonValue

from benchmarks.contenders.jobs import EndedJob, JobPlan, JobRunner, describe_job
from benchmarks.contenders.records import Record
from benchmarks.data_sets.rows import PreparedData

RATE_FACTORS = (0.5, 1, 4)
"""Learning rates, as multiples of the rate that the rule gives."""
HEADS: tuple[dict[str, str], ...] = (
    {"pooling": "family", "pair_encoding": "joined"},
    {"pooling": "mean", "pair_encoding": "joined"},
)
PAIR_HEADS: tuple[dict[str, str], ...] = (
    *HEADS,
    {"pooling": "mean", "pair_encoding": "separate"},
    {"pooling": "mean", "pair_encoding": "aligned"},
)
"""A head of the encoder's family reads one sequence, so it is no choice for texts encoded apart."""
SEARCH_SEEDS, FIRST_SEARCH_SEED = 2, 1000
VALIDATION_SHARE = 0.2  # that the service draws from the training file

Settings = dict[str, JsonValue]


def run_grid(
    runner: JobRunner, data: PreparedData, model: str, seeds: int, known: Record | None
) -> Record:
    """Search the grid, unless ``known`` tells what it chose, and train the best candidate."""
    if known is not None and known.grid is not None:
        settings, search_steps = known.grid, known.search_steps
    else:
        settings, search_steps = _search_grid(runner, data, model)
    plan = JobPlan("grid", data, model, seeds, settings)
    record = describe_job(plan, runner.run_job(plan), runner.get_stopwatch(plan).seconds)
    return record.model_copy(
        update={
            "search_steps": search_steps,
            "grid": settings,
            "note": f"Best of {len(list_candidates(data, 1.0, 1))} candidates by validation.",
        }
    )


def list_candidates(data: PreparedData, rate: float, steps: int) -> list[Settings]:
    """List the recipes of the grid for a rule's learning rate and length."""
    heads = PAIR_HEADS if data.data_set.is_pair else HEADS
    return [
        {"preset": "longer", "learning_rate": factor * rate, "max_steps": steps, **head}
        for factor, head in product(RATE_FACTORS, heads)
    ]


def _search_grid(runner: JobRunner, data: PreparedData, model: str) -> tuple[Settings, int]:
    """Return the best candidate, and the optimizer steps of the search."""
    rate, steps = read_rules(runner, data, model)
    candidates = list_candidates(data, rate, steps)
    plans = [
        JobPlan(
            "grid",
            data,
            model,
            SEARCH_SEEDS,
            settings,
            FIRST_SEARCH_SEED,
            part=f"candidate-{number}",
            keeps_models=False,
        )
        for number, settings in enumerate(candidates)
    ]
    ended = [runner.run_job(plan) for plan in plans]
    best = max(range(len(ended)), key=lambda number: _rank_candidate(ended[number]))
    return candidates[best], sum(one.main_steps for one in ended)


def read_rules(runner: JobRunner, data: PreparedData, model: str) -> tuple[float, int]:
    """Return the learning rate and the length that the service's rules give."""
    training_rows = round((1 - VALIDATION_SHARE) * data.rows)
    recipes = {one.id: one for one in runner.client.list_recipes(model, training_rows)}
    return (
        recipes["conventional"].resolved_recipe["learning_rate"],
        recipes["longer"].resolved_recipe["max_steps"],
    )


def _rank_candidate(ended: EndedJob) -> tuple[bool, float]:
    """Rank by the mean validation score; a candidate without scores comes last."""
    scores: Sequence[float] = [
        run.validation_score for run in ended.runs if run.validation_score is not None
    ]
    return bool(scores), statistics.fmean(scores) if scores else 0.0
