"""Routes below /v1/models: base and published models. IDs may contain a slash."""

from fastapi import APIRouter

from api.dependencies import ServicesDep
from api.errors import document_errors
from api.models.deletion import remove_model
from api.models.listing import find_model, list_all_models
from api.models.schemas import ModelDeleted, ModelList, ModelObject
from api.path_parameters import ModelIdPath
from shared.domain.errors import FileInUse, ModelInUse, ModelNotFound

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", responses=document_errors())
def list_models(services: ServicesDep) -> ModelList:
    """List published models, newest first, then the base models that a job can start from.

    Base models come in the order: bundled, folders, uploads, hub; `encoder` describes each. A
    checkpoint of a run is a second name of a published model, so it is not listed here.
    """
    return ModelList(data=list_all_models(services))


@router.get("/{model:path}", responses=document_errors(ModelNotFound))
def retrieve_model(services: ServicesDep, model: ModelIdPath) -> ModelObject:
    """Return a base model, or a model that a job has published from one of its runs.

    An uploaded model is found by its ID and by its name. The ID of a checkpoint names the model of
    its run.
    """
    return find_model(services, model)


@router.delete("/{model:path}", responses=document_errors(ModelNotFound, ModelInUse, FileInUse))
def delete_model(services: ServicesDep, model: ModelIdPath) -> ModelDeleted:
    """Delete a published model and its files, or an uploaded model by its ID.

    The job, its report and its result files remain; the weights are stored until `model.zip` is
    deleted too. With a published ensemble, the models of its
    members are deleted as well, unless the job keeps all runs. The ID of a checkpoint names the
    model of its run.
    """
    remove_model(services, model)
    return ModelDeleted(id=model)
