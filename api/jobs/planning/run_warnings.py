"""Warn about a job's runs: too short to train, too few for a spread, or chosen on too few rows."""

from collections.abc import Iterator, Sequence

from api.jobs.planning.unlabelled_warnings import warn_unread_texts
from api.jobs.request_schemas import JobRequest
from shared.db.tables import Job, Run
from shared.domain.job_facts import SINGLE_SEED_WARNING, JobWarning
from shared.domain.wording import join_words
from shared.recipe import RecipeResolution
from shared.recipe.rules import count_epoch_steps
from shared.recipe.schedule import create_linear_schedule
from shared.recipe.value import Recipe

MIN_EFFECTIVE_RATE = 1e-9
"""Adam's updates are about as large as the learning rate. Weights are about 0.02, where half of
float32's last place is 9e-10: smaller updates are rounded away.
"""
MIN_CHOICE_ROWS = 30
"""With fewer validation rows, one row outweighs most differences between candidates: it changes
accuracy by more than three points.
"""


def list_run_warnings(
    job: Job, request: JobRequest, resolution: RecipeResolution, runs: Sequence[Run]
) -> list[JobWarning]:
    """Return the warnings about ``runs``, the planned main runs of the job."""
    train_rows, validation_rows = job.dataset.rows.train, job.dataset.rows.validation
    return [
        *_warn_length(resolution.recipe, train_rows),
        *_warn_early_comparison(resolution.recipe, runs),
        *_warn_choice_on_few_rows(job, resolution, validation_rows),
        *warn_unread_texts(job.dataset.rows, resolution),
        *_warn_single_seed(request, runs),
    ]


def _warn_length(recipe: Recipe, train_rows: int) -> Iterator[JobWarning]:
    """Warn if no update changes the model, or if the updates do not use all training rows.

    Automatic lengths are at least three epochs, so this concerns requested ones alone.
    """
    steps, batch_size = recipe.max_steps, recipe.train_batch_size
    schedule = create_linear_schedule(recipe.learning_rate, recipe.warmup_ratio, steps)
    epoch_steps = count_epoch_steps(train_rows, batch_size)
    if schedule.is_always_zero():
        yield JobWarning(
            code="no_training",
            message=f"A run has {steps} step, whose learning rate is 0 because the warm-up begins "
            "there, so no run changes the model. Raise recipe.max_steps, or set "
            "recipe.warmup_ratio to 0.",
        )
    elif recipe.learning_rate < MIN_EFFECTIVE_RATE:
        yield JobWarning(
            code="no_training",
            message=f"A learning rate of {recipe.learning_rate:g} is below the rounding of float32 "
            "weights, so no run changes the model noticeably. Raise recipe.learning_rate.",
        )
    elif steps < epoch_steps:
        used = steps * batch_size
        yield JobWarning(
            code="less_than_one_epoch",
            message=f"Each run uses only {used:,} of the {train_rows:,} training rows "
            f"({steps:,} x {batch_size:,}). One epoch is {epoch_steps:,} steps (recipe.max_steps).",
        )


def _warn_early_comparison(recipe: Recipe, runs: Sequence[Run]) -> Iterator[JobWarning]:
    """Warn if runs are discarded by scores that training has not changed yet."""
    stop_step = runs[0].stop_step
    schedule = create_linear_schedule(recipe.learning_rate, recipe.warmup_ratio, recipe.max_steps)
    if stop_step is not None and not any(map(schedule.compute_rate, range(1, stop_step + 1))):
        yield JobWarning(
            code="discard_before_training",
            message=f"early_discard compares the runs after step {stop_step}, but the learning "
            "rate is 0 until then, so it keeps random runs. Raise early_discard.at_fraction, or "
            "train longer.",
        )


def _warn_choice_on_few_rows(
    job: Job, resolution: RecipeResolution, rows: int
) -> Iterator[JobWarning]:
    if rows >= MIN_CHOICE_ROWS:
        return
    noun = "row" if rows == 1 else "rows"
    if resolution.pilots is not None:
        automatic = join_words(resolution.automatic)
        yield JobWarning(
            code="pilots_on_few_rows",
            message=f"Pilots choose {automatic} by scores on {rows} validation {noun}, which is "
            f"mostly chance. Add validation rows, or set {automatic} in the recipe.",
        )
    if job.early_discard is not None:
        yield JobWarning(
            code="discard_on_few_rows",
            message=f"early_discard compares runs by scores on {rows} validation {noun}, which is "
            "mostly chance. Add validation rows, or leave early_discard out.",
        )


def _warn_single_seed(request: JobRequest, runs: Sequence[Run]) -> Iterator[JobWarning]:
    discard = request.early_discard
    if discard is not None and discard.enabled:
        if discard.keep == 1:
            yield JobWarning(
                code=SINGLE_SEED_WARNING,
                message="early_discard keeps 1 run, so the spread over seeds and the interval of "
                "the mean will be null. Set early_discard.keep to 5 to know them.",
            )
    elif len({(run.init_seed, run.data_seed) for run in runs}) == 1:
        message = (
            "The job has 1 seed, so the spread over seeds and the interval of the mean will be "
            "null. Set runs.num_seeds to 5 to know them."
        )
        if runs[0].fold is not None:
            message = (
                "The job has 1 seed, so its spread is that over folds: how much seeds matter "
                "stays unknown. Set runs.num_seeds to 3 or more to know it."
            )
        yield JobWarning(code=SINGLE_SEED_WARNING, message=message)
