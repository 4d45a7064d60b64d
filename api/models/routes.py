"""Routes below /v1/models: base and published models. IDs may contain a slash."""

from fastapi import APIRouter

from api.dependencies import ServicesDep
from api.errors import document_errors
from api.models.schemas import ModelDeleted, ModelList, ModelObject
from api.path_parameters import ModelIdPath
from shared.db.models import Models
from shared.domain.errors import ModelInUse, ModelNotFound

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", responses=document_errors())
def list_models(services: ServicesDep) -> ModelList:
    """List published models, newest first, then the base models."""
    with services.database.read() as session:
        published = [
            ModelObject.from_row(model) for model in Models(session, services.owner_id).list_all()
        ]
    base = [ModelObject.from_base_model(name) for name in services.catalogue.list_names()]
    return ModelList(data=[*published, *base])


@router.get("/{model:path}", responses=document_errors(ModelNotFound))
def retrieve_model(services: ServicesDep, model: ModelIdPath) -> ModelObject:
    """Return a base model, or a model that a job has published from one of its runs."""
    if model in services.catalogue.list_names():
        return ModelObject.from_base_model(model)
    with services.database.read() as session:
        return ModelObject.from_row(Models(session, services.owner_id).get(model))


@router.delete("/{model:path}", responses=document_errors(ModelNotFound, ModelInUse))
def delete_model(services: ServicesDep, model: ModelIdPath) -> ModelDeleted:
    """Delete a published model and its files.

    The job, its report and its result files remain.
    """
    if model in services.catalogue.list_names():
        raise ModelInUse(
            f"{model} is a base model of this installation; it cannot be deleted through the API.",
            param="model",
        )
    with services.database.write() as session:
        row = Models(session, services.owner_id).delete(model)
    services.storage.delete_prefix(row.prefix)
    services.model_server.evict_model(row.prefix)
    return ModelDeleted(id=model)
