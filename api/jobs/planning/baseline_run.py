"""The run that scores a job's baselines, beside the seeds: queued, claimed, cancelled and
retried as they are.
"""

from shared.db.tables import Job, Run
from shared.domain import ids
from shared.domain.states import Purpose, RunState

PLACEHOLDER_SEED = 0  # the columns want one; the baselines draw nothing


def build_baselines_run(job: Job) -> Run:
    return Run(
        id=ids.run_id(),
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
