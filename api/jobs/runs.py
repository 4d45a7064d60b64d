"""The runs of a new job: one a seed, or under k-fold one a seed and fold."""

from itertools import product

from api.jobs.schemas import JobRequest
from shared import ids
from shared.datasets import folds_of
from shared.db.tables import Job, Run
from shared.errors import InvalidValue
from shared.states import RunState

DEFAULT_SEEDS = 5


def main_runs(job: Job, request: JobRequest, total_steps: int) -> list[Run]:
    first = request.seed or 0
    seeds = request.runs.seeds or [first + i for i in range(request.runs.num_seeds or DEFAULT_SEEDS)]
    if max(seeds) >= 2**31:
        raise InvalidValue("seed plus the number of runs must stay below 2147483648.", param="seed")
    return [
        Run(
            id=ids.run_id(),
            job_id=job.id,
            owner_id=job.owner_id,
            index=index,
            purpose="main",
            seed=seed,
            init_seed=seed,
            data_seed=seed,
            fold=fold,
            status=RunState.QUEUED,
            total_steps=total_steps,
            diagnosis=[],
        )
        for index, (seed, fold) in enumerate(product(seeds, folds_of(request.split)))
    ]
