"""Routes below /v1/models: base and published models. IDs may contain a slash."""

from fastapi import APIRouter

from api.blob_deletion import delete_blobs
from api.dependencies import AppServices, ServicesDep
from api.errors import document_errors
from api.files.service import delete_file
from api.models.listing import find_start_model, list_start_models
from api.models.schemas import ModelDeleted, ModelList, ModelObject
from api.models.uploaded import is_uploaded
from api.path_parameters import ModelIdPath
from shared.db.file_content import list_unused_folders
from shared.db.files import Files
from shared.db.models import Models
from shared.domain.errors import FileInUse, ModelInUse, ModelNotAllowed, ModelNotFound

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", responses=document_errors())
def list_models(services: ServicesDep) -> ModelList:
    """List published models, newest first, then the base models that a job can start from.

    Base models come in the order: bundled, folders, uploads, hub; `encoder` describes each. A
    checkpoint of a run is a second name of a published model, so it is not listed here.
    """
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
    return ModelList(data=[*fine_tuned, *base])


@router.get("/{model:path}", responses=document_errors(ModelNotFound))
def retrieve_model(services: ServicesDep, model: ModelIdPath) -> ModelObject:
    """Return a base model, or a model that a job has published from one of its runs.

    An uploaded model is found by its ID and by its name. The ID of a checkpoint names the model of
    its run.
    """
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


@router.delete("/{model:path}", responses=document_errors(ModelNotFound, ModelInUse, FileInUse))
def delete_model(services: ServicesDep, model: ModelIdPath) -> ModelDeleted:
    """Delete a published model and its files, or an uploaded model by its ID.

    The job, its report and its result files remain; the weights are stored until `model.zip` is
    deleted too. With a published ensemble, the models of its
    members are deleted as well, unless the job keeps all runs. The ID of a checkpoint names the
    model of its run.
    """
    if is_uploaded(model):
        _delete_uploaded_model(services, model)
        return ModelDeleted(id=model)
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
    return ModelDeleted(id=model)


def _delete_uploaded_model(services: AppServices, file_id: str) -> None:
    """Delete the file of an uploaded model. Raises ModelNotFound for any other file."""
    try:
        with services.database.read() as session:
            Files(session, services.owner_id).get_model(file_id)
    except ModelNotAllowed:
        raise ModelNotFound(f"No model has the ID {file_id[:200]!r}.", param="model") from None
    delete_file(services, file_id)
