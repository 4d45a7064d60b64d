"""The run that scores a job's baselines, beside the seeds: queued, claimed, cancelled and retried as they are."""

from shared.db.tables import Job, Run
from shared.domain import ids
from shared.domain.states import Purpose, RunState

NO_SEED = 0  # the columns want one; the baselines draw nothing


def baselines_run(job: Job) -> Run:
    return Run(
        id=ids.run_id(),
        job_id=job.id,
        owner_id=job.owner_id,
        index=0,
        purpose=Purpose.BASELINES,
        seed=NO_SEED,
        init_seed=NO_SEED,
        data_seed=NO_SEED,
        status=RunState.QUEUED,
        total_steps=1,
        diagnosis=[],
    )
