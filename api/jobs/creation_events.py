"""What a job's events say of its creation, and of the wait for a hub that does not answer."""

from collections.abc import Sequence

from shared.db.tables import Job, Run
from shared.domain.errors import HubNotReachable
from shared.domain.states import Purpose
from shared.domain.wording import choose_verb, format_count, join_words


def describe_creation(job: Job, runs: Sequence[Run]) -> str:
    main_count = sum(run.purpose == Purpose.MAIN for run in runs)
    if job.awaits_description:
        return (
            f"Created: {format_count(main_count, 'run')} with the recipe "
            f"{job.request.recipe.preset}, which is resolved once the hub has described "
            f"{job.model}."
        )
    return f"Created: {_describe_plan(job, runs)}"


def describe_wait(error: HubNotReachable, delay: float) -> str:
    return f"{error.message} Next attempt in {delay:.0f} seconds."


def describe_resolution(job: Job, runs: Sequence[Run]) -> str:
    """Say what the job is now that its model is known."""
    assert job.hub_model is not None, "a resolved job has its model"
    return f"The model was resolved to {job.hub_model.title}: {_describe_plan(job, runs)}"


def _describe_plan(job: Job, runs: Sequence[Run]) -> str:
    main_count = sum(run.purpose == Purpose.MAIN for run in runs)
    waits = (
        f" They start once a worker has downloaded {job.hub_model.title}."
        if job.awaits_model and job.hub_model is not None
        else ""
    )
    if job.resolved_recipe is not None:
        recipe = job.resolved_recipe
        return (
            f"{format_count(main_count, 'run')} of "
            f"{format_count(recipe.max_steps, 'step')} with the recipe {recipe.preset}.{waits}"
        )
    pilots = [run for run in runs if run.purpose == Purpose.PILOT]
    assert job.pilots is not None, "a resolved job without a recipe has pilots"
    automatic = join_words(job.pilots.automatic)
    return (
        f"{format_count(main_count, 'run')} with the recipe "
        f"{job.request.recipe.preset}. First, {format_count(len(pilots), 'pilot')} of "
        f"{format_count(pilots[0].total_steps, 'step')} "
        f"{choose_verb(len(pilots), 'begins', 'begin')} the search for {automatic}.{waits}"
    )
