"""The last stage of a job that publishes a distilled model: one more run, after the main runs.

The run is a row from the job's creation on, held until the main runs have ended. It learns the mean
prediction of the sound ones (``worker.training.data.soft_labels``), with the job's recipe.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from shared.datasets.split.unlabelled import count_readable_texts
from shared.db.events import Events
from shared.db.job_advances import JobAdvances
from shared.db.runs import Runs
from shared.db.stages import Stages
from shared.db.tables import Job, Run
from shared.domain.publication import DistilledResult
from shared.domain.states import Purpose, RunState
from shared.domain.wording import format_count
from shared.metrics.run_result import TrainedResult
from shared.recipe.value import ForeignRecipe, Recipe
from worker.jobs.ensemble_scores import list_sound_runs

MIN_TEACHERS = 2


def find_due_distillation(
    job: Job, runs: Sequence[Run], distillations: Sequence[Run]
) -> Run | None:
    """Return the held run that can start, now that the main ``runs`` have ended; None if there is
    none, or if the models of the sound runs are too few or incomplete.
    """
    sound = list_sound_runs(runs)
    held = [run for run in distillations if run.held and run.status == RunState.QUEUED]
    has_teachers = len(sound) >= MIN_TEACHERS and all(run.artifacts is not None for run in sound)
    return held[-1] if held and has_teachers and isinstance(job.resolved_recipe, Recipe) else None


def start_distillation(session: Session, job_id: str, fence: int, run_id: str) -> None:
    """Release the run, with the sound runs as its teachers. Raises FenceLost."""
    job = session.get_one(Job, job_id, with_for_update=True)
    assert isinstance(job.resolved_recipe, Recipe), "only such a job has a due distillation"
    teachers = [run.id for run in list_sound_runs(Runs(session).list_by_job(job_id))]
    # the teachers were trained with the class weights already
    recipe = job.resolved_recipe.model_copy(update={"class_weights": "none"})
    JobAdvances(session).advance_to_stage(job_id, fence)
    Stages(session).release_distillation(run_id, recipe, teachers)
    texts = count_unlabelled_texts(job, recipe)
    added = "" if texts is None else f", on {format_count(texts, 'unlabelled text')} as well"
    Events(session).add(
        job,
        "Distillation: one model learns the mean prediction of "
        f"{format_count(len(teachers), 'run')}{added}.",
    )


def count_unlabelled_texts(job: Job, recipe: Recipe | ForeignRecipe) -> int | None:
    """Return how many unlabelled texts a distillation with this recipe reads; None if the job has
    none.
    """
    rows = job.dataset.rows
    if rows.unlabelled is None:
        return None
    return count_readable_texts(
        rows.unlabelled, rows.train, recipe.max_steps, recipe.train_batch_size
    )


def find_distilled_run(distillations: Sequence[Run]) -> Run | None:
    """Return the latest distillation whose model can be published."""
    usable = [
        run
        for run in distillations
        if run.status == RunState.SUCCEEDED and run.artifacts is not None and not run.degenerate
    ]
    return usable[-1] if usable else None


def build_distilled_result(job: Job, run: Run) -> DistilledResult:
    """Build the scores of a succeeded distillation, loaded with its result."""
    assert isinstance(run.result, TrainedResult), "a succeeded run has a result"
    test, recipe = run.result.test, run.recipe
    return DistilledResult(
        run_id=run.id,
        teachers=run.teachers or [],
        unlabelled_texts=None if recipe is None else count_unlabelled_texts(job, recipe),
        validation=run.result.validation.metrics,
        test=None if test is None else test.metrics,
    )


def explain_missing_distillation(runs: Sequence[Run], distillations: Sequence[Run]) -> str:
    """Say why a job that asks for a distilled model has none."""
    sound = list_sound_runs(runs)
    if len(sound) < MIN_TEACHERS:
        return (
            "A distillation needs at least two runs that succeeded and are not degenerate, but "
            f"the job has {format_count(len(sound), 'such run')}."
        )
    latest = distillations[-1] if distillations else None
    match latest:
        case Run(status=RunState.FAILED, error=error) if error is not None:
            return f"The distillation failed: {error.message}"
        case Run(status=RunState.SUCCEEDED):
            return "The distilled model predicts no better than a constant, or was deleted."
        case Run(status=RunState.CANCELLED, held=False):
            return "The distillation was cancelled."
    return "The models of earlier runs were not kept, so nothing could be distilled from all runs."


def list_distillations(session: Session, job_id: str) -> Sequence[Run]:
    """List the job's distillations by index, with their results."""
    return Runs(session).list_by_job(job_id, purpose=Purpose.DISTILLATION, with_results=True)
