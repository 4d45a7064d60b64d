"""Plan a job whose model the hub has not described yet, and plan it again once it has."""

import json
from collections.abc import Sequence

from api.dependencies import AppServices
from api.jobs.clone import rebuild_request
from api.jobs.openai_mapping import merge_method_settings
from api.jobs.planning.job_plan import plan_from_model
from api.jobs.planning.start_model import StartModel, build_hub_start
from api.jobs.request_schemas import JobRequest
from shared.db.tables import Job, Run
from shared.domain.hub_model import HubModel
from shared.domain.states import JobState, Purpose
from shared.encoders.catalogue import EncoderFacts

_MAX_LAYERS = 96  # as many as recipe.reinit_layers may name
_MAX_POSITIONS = 4_194_304


def plan_without_model(services: AppServices, request: JobRequest) -> tuple[Job, list[Run]]:
    """Return the rows of a prepared request whose model is unknown: no recipe, all runs held.

    The data, the split and whatever does not depend on the model are checked now. Raises
    InvalidValue and FileNotFound for them.
    """
    job, planned = plan_from_model(services, request, StartModel(_assume_facts(request.model)))
    job.resolved_recipe = job.pilots = None
    job.recipe_notes = {}
    job.dataset = job.dataset.model_copy(update={"max_positions": None})
    job.awaits_model, job.status = True, JobState.VALIDATING_FILES
    runs = [run for run in planned if run.purpose != Purpose.PILOT]
    for run in runs:
        run.held = True
    return job, runs


def _assume_facts(model: str) -> EncoderFacts:
    """Return facts under which no request is refused for the model's sake."""
    return EncoderFacts(
        model,
        "bert",  # has a pooler, which other families lack
        num_hidden_layers=_MAX_LAYERS,
        hidden_size=768,
        max_position_embeddings=_MAX_POSITIONS,
    )


def plan_again(services: AppServices, job: Job, hub_model: HubModel) -> tuple[Job, Sequence[Run]]:
    """Return the plan of a stored job for its resolved model, as a new job would have it.

    Raises InvalidValue where the request does not fit the model, ValidationError for a request
    that this version no longer accepts, and FileNotFound.
    """
    body = rebuild_request(job)
    request = merge_method_settings(JobRequest.model_validate_json(json.dumps(body)))
    plan, runs = plan_from_model(services, request, build_hub_start(job.model, hub_model))
    if job.dataset.hub is not None:  # the rebuilt request names the downloaded files
        plan.dataset = plan.dataset.model_copy(update={"hub": job.dataset.hub})
    return plan, runs
