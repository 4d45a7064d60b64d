"""Uploaded checkpoints as models of jobs: by the ID of their file, or by its name."""

from functools import partial
from pathlib import Path

from api.dependencies import AppServices
from shared.db.files import Files
from shared.db.models import Models
from shared.db.tables import File, Model
from shared.domain.errors import ModelNotAllowed, ServiceUnavailable
from shared.domain.ids import FILE_PREFIX, is_id
from shared.domain.naming import FINE_TUNED_PREFIX, get_base_name
from shared.encoders.archive.unpacking import unpack_archive
from shared.encoders.catalogue import EncoderFacts, read_encoder_facts
from shared.encoders.catalogue_entries import CatalogueEntry
from shared.encoders.uploaded import UploadedModel, get_model_name
from shared.infra.checkpoint_cache import fetch_checkpoint_folder
from shared.infra.model_cache import fetch_cached_folder
from shared.infra.storage_errors import BlobMissing


def resolve_model_name(services: AppServices, model: str) -> str:
    """Return the ID of the newest uploaded checkpoint with this name; any other name unchanged.

    Names of the installation's own models come first. A job stores the ID, because the name may
    come to mean another upload.
    """
    if is_uploaded(model) or model.startswith(FINE_TUNED_PREFIX):
        return model
    if services.catalogue.is_known(model):
        return model
    with services.database.read() as session:
        file = Files(session, services.owner_id).find_model(model)
        return model if file is None else file.id


def is_uploaded(model: str) -> bool:
    """Return whether the name is the ID of a file, as that of an uploaded checkpoint is."""
    return is_id(model, FILE_PREFIX)


def starts_from_uploaded(model: str) -> bool:
    """Return whether the facts of a model are not in the catalogue but in an upload: those of an
    uploaded checkpoint, or of a model fine-tuned from one.
    """
    return is_uploaded(get_base_name(model))


def get_uploaded_facts(services: AppServices, model: str) -> EncoderFacts:
    """Return the facts of an uploaded checkpoint, or of a model fine-tuned from one.

    The latter are read from its own folder, because the upload may have been deleted since. Raises
    ModelNotAllowed, or ModelInUse while a fine-tuned model may still be replaced.
    """
    limit = services.settings.trainer_memory_bytes
    if is_uploaded(model):
        with services.database.read() as session:
            uploaded = Files(session, services.owner_id).get_model(model)[1]
        uploaded.require_memory(model, limit)
        return uploaded.to_facts(model)
    with services.database.read() as session:
        published = Models(session, services.owner_id).get_for_new_job(model)
    folder = _fetch_published_folder(services, published)
    return read_encoder_facts(model, folder, memory_bytes=limit)


def get_uploaded_folder(services: AppServices, model: str) -> Path:
    """Return the local folder of an uploaded checkpoint, or of a model fine-tuned from one; fetch
    it on first use. Raises ModelNotAllowed, or ServiceUnavailable if the storage lacks it.
    """
    with services.database.read() as session:
        if not is_uploaded(model):
            published = Models(session, services.owner_id).get(model)
        else:
            file, uploaded = Files(session, services.owner_id).get_model(model)
    if not is_uploaded(model):
        return _fetch_published_folder(services, published)
    return _fetch_uploaded_folder(services, file, uploaded)


def _fetch_uploaded_folder(services: AppServices, file: File, uploaded: UploadedModel) -> Path:
    unpack = partial(unpack_archive, max_bytes=uploaded.unpacked_bytes)
    try:
        return fetch_checkpoint_folder(services.settings, services.storage, file.sha256, unpack)
    except BlobMissing:
        raise ServiceUnavailable(
            f"The content of file {file.id} is missing from the storage or was changed there; "
            "upload it again."
        ) from None


def _fetch_published_folder(services: AppServices, model: Model) -> Path:
    try:
        return fetch_cached_folder(services.settings, services.storage, model.prefix)
    except BlobMissing:
        raise ModelNotAllowed(
            f"The weights of {model.id} are missing from the storage; clone its job to train it "
            "again.",
            param="model",
        ) from None


def build_uploaded_entry(file: File, uploaded: UploadedModel) -> CatalogueEntry:
    """Return what the catalogue shows of an uploaded checkpoint."""
    return CatalogueEntry(
        id=file.id,
        source="upload",
        facts=uploaded.to_facts(file.id),
        details=uploaded,
        name=get_model_name(file.filename),
        created_at=file.created_at,
    )
