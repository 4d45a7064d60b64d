"""Look up the model that a job starts from: installed, of the hub, uploaded, or fine-tuned."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from api.dependencies import AppServices
from api.files.tokenization import get_tokenizer_file
from api.jobs.planning.text_lengths import EncoderInput
from api.models.uploaded import (
    get_uploaded_facts,
    get_uploaded_folder,
    is_uploaded,
    starts_from_uploaded,
)
from shared.db.jobs import Jobs
from shared.db.models import Models
from shared.db.tables import Job
from shared.domain.errors import BaseModelChanged, ModelNotAllowed, ModelNotFound
from shared.domain.hub_model import HubModel
from shared.domain.naming import FINE_TUNED_PREFIX, get_base_name
from shared.encoders.catalogue import EncoderFacts
from shared.encoders.hub.cache import HubCache
from shared.encoders.hub.ids import is_allowed, is_hub_id
from shared.encoders.hub.resolution import HubModels, unpack_facts
from shared.encoders.model_digest import compute_model_digest
from shared.encoders.validation.errors import UnfitModel


class StartModel(NamedTuple):
    """The facts of the model that a job starts from."""

    facts: EncoderFacts
    hub_model: HubModel | None = None
    """Where the base model comes from the hub: what it was when it was resolved."""


def resolve_start_model(services: AppServices, model: str, revision: str | None) -> StartModel:
    """Return a base model, or the base model of a fine-tuned one, under the name ``model``.

    Asks the hub for a model that is not of this installation. Raises ModelNotAllowed; ModelInUse
    while a fine-tuned model may still be replaced; ModelNotFound for a revision of a model that has
    none; and for the hub HubNotAllowed, ModelNotFound, HubNotReachable, ServiceBusy.
    """
    if is_of_hub(services, model):
        return build_hub_start(model, _ask_hub(services, model, revision))
    if revision is not None:
        raise ModelNotFound(
            f"{model} is no model of the hub, so it has no revisions; leave out model_revision.",
            param="model_revision",
        )
    if starts_from_uploaded(model):
        return StartModel(get_uploaded_facts(services, model))
    if model.startswith(FINE_TUNED_PREFIX):
        return _find_fine_tuned(services, model)
    return StartModel(services.catalogue.get_facts(model))


def is_of_hub(services: AppServices, model: str) -> bool:
    """Return whether the hub is to be asked for the model.

    Models of the installation come first. A name without an owner counts as the hub's only where
    the setting allows it, so that a misspelled folder is answered with the list of folders.
    """
    if not is_hub_id(model) or is_uploaded(model) or services.catalogue.is_known(model):
        return False
    return "/" in model or is_allowed(services.settings.hub_models, model)


def build_hub_start(model: str, hub_model: HubModel) -> StartModel:
    """Return a resolved model of the hub under the name that the job gives it."""
    return StartModel(replace(unpack_facts(hub_model), name=model), hub_model)


def _ask_hub(services: AppServices, model: str, revision: str | None) -> HubModel:
    with services.hub_requests.begin(param="model"):
        return HubModels(services.settings).resolve(model, revision)


def _find_fine_tuned(services: AppServices, model: str) -> StartModel:
    with services.database.read() as session:
        published = Models(session, services.owner_id).get_for_new_job(model)
        hub_model = Jobs(session).get(published.job_id, services.owner_id).hub_model
    if hub_model is not None:
        return build_hub_start(model, hub_model)
    base_facts = services.catalogue.get_facts(get_base_name(model))
    return StartModel(replace(base_facts, name=model))


def require_start_model(services: AppServices, job: Job) -> None:
    """Raise ModelNotAllowed, ModelInUse or BaseModelChanged if further runs cannot start from the
    job's model.

    A model of the hub is pinned by the job's row; the hub is not asked. One that the hub has not
    described yet is checked once it has.
    """
    if job.awaits_description:
        return
    if starts_from_uploaded(job.model):
        facts = get_uploaded_facts(services, job.model)
    elif job.model.startswith(FINE_TUNED_PREFIX):
        facts = _find_fine_tuned(services, job.model).facts
    elif job.hub_model is None:
        facts = services.catalogue.get_facts(job.model)
    else:
        facts = unpack_facts(job.hub_model)
    found = digest_start_model(services, StartModel(replace(facts, name=job.model), job.hub_model))
    if found is not None and job.base_model_sha256 not in (None, found):
        raise BaseModelChanged(job.model, job.id)


def digest_start_model(services: AppServices, start: StartModel) -> str | None:
    """Return the digest of a base model; None if its folder is not on this machine.

    A fine-tuned model is pinned by the digest of its weights (``Job.base_weights_sha256``). In
    either case the first worker that has the folder records the digest.
    """
    if start.facts.name.startswith(FINE_TUNED_PREFIX):
        return None
    folder = _find_folder(services, start)
    try:
        return None if folder is None else compute_model_digest(folder)
    except (UnfitModel, OSError):  # a worker refuses the folder in a sentence
        return None


def is_download_needed(services: AppServices, start: StartModel) -> bool:
    """Return whether a job has to wait for the model.

    A worker whose disk is another one downloads it when it prepares a run.
    """
    if start.hub_model is None or start.facts.name.startswith(FINE_TUNED_PREFIX):
        return False
    return HubCache(services.settings.resolved_hub_cache).find_folder(start.hub_model) is None


def find_encoder_input(services: AppServices, start: StartModel) -> EncoderInput:
    """Look up the tokenizer. Only workers need the other files of a model, so it may be absent."""
    folder = _find_folder(services, start)
    has_tokenizer = folder is not None and get_tokenizer_file(folder).is_file()
    return EncoderInput(start.facts.max_position_embeddings, folder if has_tokenizer else None)


def _find_folder(services: AppServices, start: StartModel) -> Path | None:
    if start.hub_model is not None:
        return HubCache(services.settings.resolved_hub_cache).find_folder(start.hub_model)
    try:
        if starts_from_uploaded(start.facts.name):
            return get_uploaded_folder(services, start.facts.name)
        return services.catalogue.get_folder(get_base_name(start.facts.name))
    except ModelNotAllowed:
        return None
