"""Free disk, looked at before runs begin: for what they make, and for what the runs of their
job that follow will leave beside it.

Counted in copies of the weights. What goes to a storage on the same disk gets a second name
there, not a copy (``Storage.take_folder``); what goes to a storage elsewhere takes none of this
disk once the run has ended.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from shared.db.runs import Runs
from shared.db.tables import Run
from shared.domain.states import RUN_OPEN
from worker.context import WorkerContext
from worker.db_retry import write_with_retry
from worker.runs.assignment import Assignment
from worker.runs.outcomes import MachineUnfit

SPARE_BYTES = 256 * 1024 * 1024  # for everything that is no weights
WEIGHTS_COPIES = 1  # a run's best ones; they stay at least until its job ends
# weights, best weights and two moments: what a run goes on from, after a pause or an early
# discard
STATE_COPIES = 4
PUBLISHED_COPIES = 2  # the best run's folder anew, with its card, and the same as an archive


def count_fitting_runs(
    context: WorkerContext, assignments: Sequence[Assignment], base_model: Path
) -> int:
    """For how many of the runs, which differ in their seeds alone, there is free disk side by
    side: at least one. Raises NotHere.
    """
    folder = context.settings.resolved_cache_dir
    folder.mkdir(parents=True, exist_ok=True)
    a_copy = (base_model / "model.safetensors").stat().st_size
    free = shutil.disk_usage(folder).free
    stays = context.storage.shares_disk_with(folder)
    others = _list_other_open_runs(context, assignments) if stays else []
    after = sum(map(_count_kept_copies, others)) + PUBLISHED_COPIES
    run = assignments[0].run
    for count in range(len(assignments), 0, -1):
        left_out = (len(assignments) - count) * (_count_kept_copies(run) if stays else 0)
        needed = (
            count * _count_run_copies(run, is_alone=count == 1) + left_out + after
        ) * a_copy + SPARE_BYTES
        if needed <= free:
            return count
    follow = f" and for the {len(others)} runs of its job that follow" if others else ""
    raise MachineUnfit(
        f"A run needs {needed >> 20} MB of free disk for its weights{follow}, and there "
        f"are {free >> 20} MB."
    )


def _count_run_copies(run: Run, *, is_alone: bool) -> int:
    """What the run has on this disk at a time: one that is trained alone can be asked to wait,
    with a state.
    """
    made = STATE_COPIES if is_alone or run.stop_step is not None else WEIGHTS_COPIES
    return made + (STATE_COPIES if run.state is not None else 0)  # fetched, to go on from


def _count_kept_copies(run: Run) -> int:
    """What it leaves in the storage until it goes on, or until its job ends (and for good,
    where the job keeps all of its runs).
    """
    return STATE_COPIES if run.stop_step is not None else WEIGHTS_COPIES


def _list_other_open_runs(context: WorkerContext, assignments: Sequence[Assignment]) -> list[Run]:
    """Open runs of the job beside these."""
    these, job_id = {assignment.run.id for assignment in assignments}, assignments[0].job.id
    runs = write_with_retry(context.database, lambda session: Runs(session).of_job(job_id))
    return [run for run in runs if run.status in RUN_OPEN and run.id not in these]
