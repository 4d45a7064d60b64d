"""/v1/models: what a job may start from, and what jobs have made. Ids may hold a slash."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api.dependencies import ServicesDep
from api.errors import document_errors
from api.models.schemas import ModelDeleted, ModelObject
from shared.db.models import Models
from shared.domain.errors import ModelInUse, ModelNotFound

router = APIRouter(prefix="/v1/models", tags=["models"])


class ModelList(BaseModel):
    """All models, in one page."""

    object: Literal["list"] = "list"
    data: list[ModelObject]


@router.get("", responses=document_errors())
def list_models(services: ServicesDep) -> ModelList:
    """Published models, newest first, then the base models."""
    with services.database.read() as session:
        published = [
            ModelObject.from_row(model) for model in Models(session, services.owner_id).all()
        ]
    return ModelList(
        data=[
            *published,
            *(ModelObject.from_base_model(name) for name in services.catalogue.names()),
        ]
    )


@router.get("/{model:path}", responses=document_errors(ModelNotFound))
def retrieve_model(services: ServicesDep, model: str) -> ModelObject:
    """A base model, or one that a job has made: the job's best, another seed's, or a
    checkpoint's.
    """
    if model in services.catalogue.names():
        return ModelObject.from_base_model(model)
    with services.database.read() as session:
        return ModelObject.from_row(Models(session, services.owner_id).get(model))


@router.delete("/{model:path}", responses=document_errors(ModelNotFound, ModelInUse))
def delete_model(services: ServicesDep, model: str) -> ModelDeleted:
    """Delete a published model with its stored folder; the job, its report and its result files
    stay.
    """
    if model in services.catalogue.names():
        raise ModelInUse(
            f"{model} is a base model of this installation; it cannot be deleted here.",
            param="model",
        )
    with services.database.write() as session:
        row = Models(session, services.owner_id).delete(model)
    services.storage.delete_prefix(row.prefix)
    services.model_server.evict_model(row.prefix)
    return ModelDeleted(id=model)
