"""The runs of a new job: one a seed, or one a pair of seeds of a grid; under k-fold one of
these a fold.
"""

from collections.abc import Sequence
from itertools import product

from api.jobs.schemas import JobRequest
from shared.datasets import list_folds
from shared.db.tables import Job, Run
from shared.domain import ids
from shared.domain.errors import InvalidValue
from shared.domain.states import Purpose, RunState

DEFAULT_SEEDS = 5
MAX_RUNS = 200

SeedPair = tuple[int, int]
"""``init_seed`` and ``data_seed`` of a run."""


def build_main_runs(job: Job, request: JobRequest, total_steps: int) -> list[Run]:
    """Held where the job's recipe is not found yet. Raises InvalidValue for more runs, or a
    larger seed, than there may be.
    """
    return build_runs(
        job,
        cross_seeds(_list_initial_seeds(request), request.runs.data_seeds),
        total_steps,
        list_folds(request.split),
    )


def _list_initial_seeds(request: JobRequest) -> list[int]:
    given = request.runs.init_seeds or request.runs.seeds
    if given is not None:
        return given
    discard = request.early_discard
    count = (
        discard.start
        if discard is not None and discard.enabled
        else request.runs.num_seeds or DEFAULT_SEEDS
    )
    return [(request.seed or 0) + i for i in range(count)]


def cross_seeds(seeds: Sequence[int], data_seeds: Sequence[int] | None) -> list[SeedPair]:
    """Every seed with every data seed of a grid; without a grid each with itself."""
    return (
        [(seed, seed) for seed in seeds] if data_seeds is None else list(product(seeds, data_seeds))
    )


def build_runs(
    job: Job,
    seed_pairs: Sequence[SeedPair],
    total_steps: int,
    folds: Sequence[int | None],
    *,
    first_index: int = 0,
) -> list[Run]:
    """Main runs numbered from ``first``, the folds of a seed one after the other."""
    if max(max(pair) for pair in seed_pairs) >= 2**31:
        raise InvalidValue("seed plus the number of runs must stay below 2147483648.", param="seed")
    if first_index + len(seed_pairs) * len(folds) > MAX_RUNS:
        raise InvalidValue(
            (
                f"A job has at most {MAX_RUNS} runs; these are "
                f"{first_index + len(seed_pairs) * len(folds)}."
            ),
            param="runs",
        )
    return [
        Run(
            id=ids.run_id(),
            job_id=job.id,
            owner_id=job.owner_id,
            index=index,
            purpose=Purpose.MAIN,
            seed=init_seed,
            init_seed=init_seed,
            data_seed=data_seed,
            fold=fold,
            held=job.resolved_recipe is None,
            status=RunState.QUEUED,
            total_steps=total_steps,
            diagnosis=[],
        )
        for index, ((init_seed, data_seed), fold) in enumerate(
            product(seed_pairs, folds), start=first_index
        )
    ]
