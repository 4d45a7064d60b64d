"""/v1/models: what a job may start from, and what jobs have made. Ids may hold a slash."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api.dependencies import PartsDep
from api.errors import problems
from api.models.schemas import ModelDeleted, ModelObject
from shared.db.models import Models
from shared.domain.errors import ModelInUse, ModelNotFound

router = APIRouter(prefix="/v1/models", tags=["models"])


class ModelList(BaseModel):
    """All models, in one page."""

    object: Literal["list"] = "list"
    data: list[ModelObject]


@router.get("", responses=problems())
def list_models(parts: PartsDep) -> ModelList:
    """Published models, newest first, then the base models."""
    with parts.database.read() as session:
        published = [ModelObject.of(model) for model in Models(session, parts.owner_id).all()]
    return ModelList(
        data=[*published, *(ModelObject.base(name) for name in parts.catalogue.names())]
    )


@router.get("/{model:path}", responses=problems(ModelNotFound))
def retrieve_model(parts: PartsDep, model: str) -> ModelObject:
    """A base model, or one that a job has made: the job's best, another seed's, or a checkpoint's."""
    if model in parts.catalogue.names():
        return ModelObject.base(model)
    with parts.database.read() as session:
        return ModelObject.of(Models(session, parts.owner_id).get(model))


@router.delete("/{model:path}", responses=problems(ModelNotFound, ModelInUse))
def delete_model(parts: PartsDep, model: str) -> ModelDeleted:
    """Delete a published model with its stored folder; the job, its report and its result files stay."""
    if model in parts.catalogue.names():
        raise ModelInUse(
            f"{model} is a base model of this installation; it cannot be deleted here.",
            param="model",
        )
    with parts.database.write() as session:
        row = Models(session, parts.owner_id).delete(model)
    parts.storage.delete_prefix(row.prefix)
    parts.serving.forget(row.prefix)
    return ModelDeleted(id=model)
