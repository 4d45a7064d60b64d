"""Build the main runs of a job: one per seed, or per pair of seeds of a grid, and per fold."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from api.jobs.request_schemas import JobRequest
from shared.datasets import list_folds
from shared.db.tables import Job, Run
from shared.domain import ids
from shared.domain.errors import InvalidValue
from shared.domain.states import Purpose, RunState

DEFAULT_SEEDS = 5
MAX_RUNS = 200
SEED_LIMIT = 2**31


class SeedPair(NamedTuple):
    """The two seeds of a run."""

    init_seed: int
    data_seed: int


def build_main_runs(job: Job, request: JobRequest, total_steps: int) -> list[Run]:
    """Return the requested runs. Raises InvalidValue for too many runs or too large a seed."""
    return build_runs(
        job,
        cross_seeds(_list_initial_seeds(request), request.runs.data_seeds),
        total_steps,
        list_folds(request.split),
    )


def _list_initial_seeds(request: JobRequest) -> list[int]:
    listed = request.runs.init_seeds or request.runs.seeds
    if listed is not None:
        return listed
    discard = request.early_discard
    count = (
        discard.start
        if discard is not None and discard.enabled
        else request.runs.num_seeds or DEFAULT_SEEDS
    )
    return [(request.seed or 0) + offset for offset in range(count)]


def cross_seeds(seeds: Sequence[int], data_seeds: Sequence[int] | None) -> list[SeedPair]:
    """Return each seed with each data seed of a grid; without a grid, each with itself."""
    if data_seeds is None:
        return [SeedPair(seed, seed) for seed in seeds]
    return [SeedPair(*pair) for pair in product(seeds, data_seeds)]


def build_runs(
    job: Job,
    seed_pairs: Sequence[SeedPair],
    total_steps: int,
    folds: Sequence[int | None],
    *,
    first_index: int = 0,
) -> list[Run]:
    """Return main runs numbered from ``first_index``; the folds of a seed follow one another.

    They are held while pilots search the job's recipe, or its model is still to be downloaded.
    Raises InvalidValue for too many runs or too large a seed.
    """
    _check_limits(seed_pairs, first_index + len(seed_pairs) * len(folds))
    return [
        _build_main_run(job, index, seeds, fold, total_steps)
        for index, (seeds, fold) in enumerate(product(seed_pairs, folds), start=first_index)
    ]


def _build_main_run(
    job: Job, index: int, seeds: SeedPair, fold: int | None, total_steps: int
) -> Run:
    return Run(
        id=ids.make_run_id(),
        job_id=job.id,
        owner_id=job.owner_id,
        index=index,
        purpose=Purpose.MAIN,
        seed=seeds.init_seed,
        init_seed=seeds.init_seed,
        data_seed=seeds.data_seed,
        fold=fold,
        held=job.resolved_recipe is None or bool(job.awaits_model),
        status=RunState.QUEUED,
        total_steps=total_steps,
        diagnosis=[],
    )


def _check_limits(seed_pairs: Sequence[SeedPair], run_count: int) -> None:
    if max(max(pair) for pair in seed_pairs) >= SEED_LIMIT:
        raise InvalidValue(
            f"The last run's seed would exceed {SEED_LIMIT - 1}; give a smaller seed.",
            param="seed",
        )
    if run_count > MAX_RUNS:
        raise InvalidValue(
            f"The job would have {run_count} runs, but at most {MAX_RUNS} are allowed; give fewer "
            "seeds or folds.",
            param="runs",
        )
