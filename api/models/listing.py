"""The models that jobs can start from, with what is known about them here."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.models.schemas import EncoderObject, ModelObject
from api.models.uploaded import build_uploaded_entry, is_uploaded, resolve_model_name
from shared.db.files import Files
from shared.db.models import Models
from shared.db.throughput import measure_step_seconds
from shared.domain.errors import ModelNotAllowed
from shared.domain.naming import FINE_TUNED_PREFIX
from shared.encoders.catalogue_entries import (
    CatalogueEntry,
    find_installed_entry,
    list_installed_entries,
)
from shared.encoders.training_memory import estimate_training_memory
from shared.infra.hardware import resolve_auto_precision


def list_all_models(services: AppServices) -> list[ModelObject]:
    """List the published models, newest first, then those of ``list_start_models``."""
    with services.database.read() as session:
        repository = Models(session, services.owner_id)
        models, published = repository.list_all(), repository.list_published()
        fine_tuned = [
            ModelObject.from_row(
                model,
                members=published.ensembles.get(model.id, []),
                is_distilled=model.id in published.distilled,
            )
            for model in models
        ]
        base = list_start_models(services, session)
    return [*fine_tuned, *base]


def list_start_models(services: AppServices, session: Session) -> list[ModelObject]:
    """List the bundled model, folders by name, uploaded checkpoints newest first, and models of
    the hub.
    """
    uploads = [
        build_uploaded_entry(file, file.model)
        for file in Files(session, services.owner_id).list_models()
        if file.model is not None
    ]
    installed = list_installed_entries(services.catalogue)
    known = {entry.id for entry in installed}
    hub = [entry for entry in services.list_hub_starts() if entry.id not in known]
    return _build_objects(services, session, [*installed, *uploads, *hub])


def find_model(services: AppServices, model: str) -> ModelObject:
    """Return a base or published model. Raises ModelNotFound."""
    with services.database.read() as session:
        start = find_start_model(services, session, model)
        if start is not None:
            return start
        repository = Models(session, services.owner_id)
        row = repository.get(model)
        published = repository.list_published(row.job_id)
        members = published.ensembles.get(row.id, [])
        is_distilled = row.id in published.distilled
        return ModelObject.from_row(row, model, members, is_distilled=is_distilled)


def find_start_model(services: AppServices, session: Session, model: str) -> ModelObject | None:
    """Return a model that jobs can start from, by its ID or name; None if it is none."""
    entry = _find_entry(services, session, model)
    return None if entry is None else _build_objects(services, session, [entry])[0]


def _find_entry(services: AppServices, session: Session, model: str) -> CatalogueEntry | None:
    installed = find_installed_entry(services.catalogue, model)
    if installed is not None:
        return installed
    model_id = resolve_model_name(services, model)
    if is_uploaded(model_id):
        try:
            return build_uploaded_entry(*Files(session, services.owner_id).get_model(model_id))
        except ModelNotAllowed:
            return None
    if model.startswith(FINE_TUNED_PREFIX):
        return None
    return next((entry for entry in services.list_hub_starts() if entry.id == model), None)


def _build_objects(
    services: AppServices, session: Session, entries: Sequence[CatalogueEntry]
) -> list[ModelObject]:
    step_seconds = measure_step_seconds(session, services.owner_id, [entry.id for entry in entries])
    precision = resolve_auto_precision(services.settings).value
    return [
        ModelObject.from_start(
            entry,
            EncoderObject.from_entry(
                entry,
                training_memory_bytes=None
                if entry.facts is None
                else estimate_training_memory(entry.facts, entry.details, precision),
                seconds_per_step=step_seconds.get(entry.id),
            ),
            services.owner_id,
        )
        for entry in entries
    ]
