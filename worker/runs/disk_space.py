"""Check of the free disk space before runs start.

The need is counted in copies of the weights, for these runs and for the artifacts that later runs
of the same job will leave. A storage on the same disk gets hard links, not copies
(``Storage.link_or_put_folder``); a storage elsewhere uses none of this disk once the run has ended.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from shared.db.runs import Runs
from shared.db.tables import Job, Run
from shared.domain.states import OPEN_RUN_STATES, Purpose
from shared.encoders.validation.errors import UnfitModel
from shared.encoders.validation.memory import count_parameters
from shared.encoders.validation.weight_files import read_weights
from shared.recipe.fields import MAX_AVERAGED_CHECKPOINTS
from shared.recipe.value import Recipe
from worker.context import WorkerContext
from worker.db_retry import write_with_retry
from worker.runs.assignment import Assignment
from worker.runs.outcomes import MachineUnfit

SPARE_BYTES = 256 * 1024 * 1024  # for everything other than weights
FLOAT32_BYTES = 4
WEIGHTS_COPIES = 1  # a run's checkpoint, which stays at least until its job ends
STATE_COPIES = 4  # a resume state: weights, best weights and the optimizer's two moments
PUBLISHED_COPIES = 1  # the published model; its zip file is made of it when it is read


def count_fitting_runs(
    context: WorkerContext, assignments: Sequence[Assignment], base_model: Path
) -> int:
    """Return how many of these runs fit on the disk when trained together.

    The runs differ in their seeds only. Raises MachineUnfit if not even one fits.
    """
    folder = context.settings.resolved_cache_dir
    folder.mkdir(parents=True, exist_ok=True)
    copy_bytes = measure_copy(base_model)
    disk = shutil.disk_usage(folder)
    free = disk.free
    shares_disk = context.storage.is_on_same_disk(folder)
    later_runs = _list_other_open_runs(context, assignments) if shares_disk else []
    job, run = assignments[0].job, assignments[0].run
    candidates = _count_candidates(job, run)
    later_copies = PUBLISHED_COPIES + sum(
        _count_kept_copies(later, _count_candidates(job, later)) for later in later_runs
    )
    for count in range(len(assignments), 0, -1):
        postponed = (len(assignments) - count) * (
            _count_kept_copies(run, candidates) if shares_disk else 0
        )
        trained = count * _count_run_copies(run, candidates, is_alone=count == 1)
        needed = (trained + postponed + later_copies) * copy_bytes + SPARE_BYTES
        if needed <= free:
            return count
    later = f" and those of {len(later_runs)} later runs of its job" if later_runs else ""
    need = f"The run needs {needed >> 20} MB of free disk space for its weights{later}, but the"
    if needed > disk.total:  # no deletion can help
        raise MachineUnfit(
            f"{need} disk of the worker's machine has only {disk.total >> 20} MB in all. "
            "Use a larger disk or a smaller model."
        )
    # the same words each time, for which there is one event (``transitions``)
    raise MachineUnfit(f"{need} worker's machine has less. Free disk space there.", is_outage=True)


def measure_copy(base_model: Path) -> int:
    """Return the bytes of a copy of the weights: float32, however the base model has them.

    Raises MachineUnfit for a folder that has been damaged on this machine.
    """
    try:
        return FLOAT32_BYTES * count_parameters(read_weights(base_model))
    except UnfitModel as unfit:
        raise MachineUnfit(f"{base_model.name} {unfit.reason}") from None


def _count_run_copies(run: Run, candidates: int, *, is_alone: bool) -> int:
    """Return the number of copies that the run needs on this disk at a time.

    A run that is trained alone can be paused, which writes a resume state.
    """
    state_copies, can_pause = STATE_COPIES + candidates, is_alone or run.stop_step is not None
    # a run at its end has its model beside the candidates, one that pauses moves them
    written = state_copies if can_pause else WEIGHTS_COPIES + candidates
    return written + (state_copies if run.state is not None else 0)  # the fetched resume state


def _count_kept_copies(run: Run, candidates: int) -> int:
    """Return the number of copies that the run leaves in the storage when it ends or waits.

    They stay until the run continues or its job ends, or for good if the job keeps all its runs.
    """
    return STATE_COPIES + candidates if run.stop_step is not None else WEIGHTS_COPIES


def _count_candidates(job: Job, run: Run) -> int:
    """Return how many checkpoints the run keeps at a time for their average."""
    recipe = run.recipe or job.resolved_recipe
    is_averaged = isinstance(recipe, Recipe) and recipe.select == "greedy_average"
    return MAX_AVERAGED_CHECKPOINTS if is_averaged else 0


def _list_other_open_runs(context: WorkerContext, assignments: Sequence[Assignment]) -> list[Run]:
    """Return the open runs of the same job, without these."""
    run_ids, job_id = {assignment.run.id for assignment in assignments}, assignments[0].job.id
    runs = write_with_retry(
        context.database,
        lambda session: [
            *Runs(session).list_by_job(job_id),
            *Runs(session).list_by_job(job_id, purpose=Purpose.DISTILLATION),
        ],
    )
    return [run for run in runs if run.status in OPEN_RUN_STATES and run.id not in run_ids]
