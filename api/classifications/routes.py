"""Routes below /v1/classifications: predictions of fine-tuned models."""

from fastapi import APIRouter

from api.classifications import batches, service
from api.classifications.schemas import (
    BatchObject,
    BatchRequest,
    ClassificationObject,
    ClassificationRequest,
)
from api.dependencies import ServicesDep
from api.errors import document_errors
from shared.domain.errors import (
    FileNotFound,
    InvalidValue,
    ModelNotFound,
    ModelNotServed,
    NoEnsemble,
    PayloadTooLarge,
    ServiceBusy,
)

router = APIRouter(prefix="/v1/classifications", tags=["classifications"])


@router.post(
    "",
    responses=document_errors(
        InvalidValue, ModelNotServed, NoEnsemble, ModelNotFound, PayloadTooLarge, ServiceBusy
    ),
)
def create_classification(
    services: ServicesDep, request: ClassificationRequest
) -> ClassificationObject:
    """Classify texts or pairs of texts with a fine-tuned model or an ensemble.

    The texts are not stored.
    """
    return service.classify_inputs(services, request)


@router.post(
    "/batches",
    responses=document_errors(
        InvalidValue, ModelNotServed, NoEnsemble, ModelNotFound, FileNotFound, ServiceBusy
    ),
)
def create_classification_batch(services: ServicesDep, request: BatchRequest) -> BatchObject:
    """Classify every row of an uploaded file and store the predictions as a result file.

    The response is sent once all rows are classified.
    """
    return batches.classify_file(services, request)
