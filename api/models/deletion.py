"""Deletion of published and uploaded models."""

from api.blob_deletion import delete_blobs
from api.dependencies import AppServices
from api.files.service import delete_file
from api.models.uploaded import is_uploaded
from shared.db.file_content import list_unused_folders
from shared.db.files import Files
from shared.db.models import Models
from shared.domain.errors import ModelInUse, ModelNotAllowed, ModelNotFound


def remove_model(services: AppServices, model: str) -> None:
    """Delete a published model with its files, or an uploaded model.

    Raises ModelNotFound, ModelInUse, and FileInUse for an uploaded one.
    """
    if is_uploaded(model):
        _delete_uploaded_model(services, model)
        return
    if services.catalogue.is_known(model):
        raise ModelInUse(
            f"{model} is a base model of this installation; it cannot be deleted through the API.",
            param="model",
        )

    def delete_rows() -> tuple[list[str], list[str]]:
        with services.database.write() as session:
            deleted = [row.prefix for row in Models(session, services.owner_id).delete(model)]
            return deleted, list_unused_folders(session, deleted)

    prefixes, unused = services.disk_reserve.run_deletion(delete_rows)
    delete_blobs(services, unused)
    for prefix in prefixes:
        services.model_server.evict_model(prefix)


def _delete_uploaded_model(services: AppServices, file_id: str) -> None:
    """Delete the file of an uploaded model. Raises ModelNotFound for any other file."""
    try:
        with services.database.read() as session:
            Files(session, services.owner_id).get_model(file_id)
    except ModelNotAllowed:
        raise ModelNotFound(f"No model has the ID {file_id[:200]!r}.", param="model") from None
    delete_file(services, file_id)
