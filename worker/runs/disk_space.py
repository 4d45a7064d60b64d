"""Check of the free disk space before runs start.

The need is counted in copies of the weights, for these runs and for the artifacts that later runs
of the same job will leave. A storage on the same disk gets hard links, not copies
(``Storage.link_or_put_folder``); a storage elsewhere uses none of this disk once the run has ended.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from shared.db.runs import Runs
from shared.db.tables import Run
from shared.domain.states import OPEN_RUN_STATES
from worker.context import WorkerContext
from worker.db_retry import write_with_retry
from worker.runs.assignment import Assignment
from worker.runs.outcomes import MachineUnfit

SPARE_BYTES = 256 * 1024 * 1024  # for everything other than weights
WEIGHTS_COPIES = 1  # a run's checkpoint, which stays at least until its job ends
STATE_COPIES = 4  # a resume state: weights, best weights and the optimizer's two moments
PUBLISHED_COPIES = 2  # the published model as a folder and as an archive


def count_fitting_runs(
    context: WorkerContext, assignments: Sequence[Assignment], base_model: Path
) -> int:
    """Return how many of these runs fit on the disk when trained together.

    The runs differ in their seeds only. Raises MachineUnfit if not even one fits.
    """
    folder = context.settings.resolved_cache_dir
    folder.mkdir(parents=True, exist_ok=True)
    copy_bytes = (base_model / "model.safetensors").stat().st_size
    free = shutil.disk_usage(folder).free
    shares_disk = context.storage.is_on_same_disk(folder)
    later_runs = _list_other_open_runs(context, assignments) if shares_disk else []
    later_copies = sum(map(_count_kept_copies, later_runs)) + PUBLISHED_COPIES
    run = assignments[0].run
    for count in range(len(assignments), 0, -1):
        postponed = (len(assignments) - count) * (_count_kept_copies(run) if shares_disk else 0)
        trained = count * _count_run_copies(run, is_alone=count == 1)
        needed = (trained + postponed + later_copies) * copy_bytes + SPARE_BYTES
        if needed <= free:
            return count
    later = f" and those of {len(later_runs)} later runs of its job" if later_runs else ""
    raise MachineUnfit(
        f"The run needs {needed >> 20} MB of free disk space for its weights{later}, but only "
        f"{free >> 20} MB are free. Free disk space on the worker's machine."
    )


def _count_run_copies(run: Run, *, is_alone: bool) -> int:
    """Return the number of copies that the run needs on this disk at a time.

    A run that is trained alone can be paused, which writes a resume state.
    """
    written = STATE_COPIES if is_alone or run.stop_step is not None else WEIGHTS_COPIES
    return written + (STATE_COPIES if run.state is not None else 0)  # the fetched resume state


def _count_kept_copies(run: Run) -> int:
    """Return the number of copies that the run leaves in the storage when it ends or waits.

    They stay until the run continues or its job ends, or for good if the job keeps all its runs.
    """
    return STATE_COPIES if run.stop_step is not None else WEIGHTS_COPIES


def _list_other_open_runs(context: WorkerContext, assignments: Sequence[Assignment]) -> list[Run]:
    """Return the open runs of the same job, without these."""
    run_ids, job_id = {assignment.run.id for assignment in assignments}, assignments[0].job.id
    runs = write_with_retry(context.database, lambda session: Runs(session).list_by_job(job_id))
    return [run for run in runs if run.status in OPEN_RUN_STATES and run.id not in run_ids]
