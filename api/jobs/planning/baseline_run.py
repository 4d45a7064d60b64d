"""Build the run that scores a job's baselines.

It is a run like those of the seeds: queued, claimed, cancelled and retried in the same way.
"""

from shared.db.tables import Job, Run
from shared.domain import ids
from shared.domain.states import Purpose, RunState

PLACEHOLDER_SEED = 0  # the columns are not nullable, but baselines use no random numbers


def build_baselines_run(job: Job) -> Run:
    return Run(
        id=ids.make_run_id(),
        job_id=job.id,
        owner_id=job.owner_id,
        index=0,
        purpose=Purpose.BASELINES,
        seed=PLACEHOLDER_SEED,
        init_seed=PLACEHOLDER_SEED,
        data_seed=PLACEHOLDER_SEED,
        status=RunState.QUEUED,
        total_steps=1,
        diagnosis=[],
    )
