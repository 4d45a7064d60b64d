"""Routes below /v1/classifications: predictions of fine-tuned models."""

from fastapi import APIRouter, Request, Response

from api.classifications import batches, service
from api.classifications.client_watch import ClientWatch
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
)
from shared.domain.limit_errors import FILE_LIMITS, ServiceBusy

router = APIRouter(prefix="/v1/classifications", tags=["classifications"])


@router.post(
    "",
    response_model=ClassificationObject,
    responses=document_errors(
        InvalidValue, ModelNotServed, NoEnsemble, ModelNotFound, PayloadTooLarge, ServiceBusy
    ),
)
async def create_classification(
    services: ServicesDep, request: ClassificationRequest, http_request: Request
) -> Response:
    """Classify texts or pairs of texts with a fine-tuned model or an ensemble.

    The texts are not stored.
    """
    heavy = services.heavy
    lane = heavy.long_classifications if request.is_long else heavy.classifications
    with ClientWatch(http_request.receive) as client:
        content = await lane.run(
            services.owner_id, service.classify_inputs, services, request, client.is_gone
        )
    return Response(content, media_type="application/json")


@router.post(
    "/batches",
    responses=document_errors(
        InvalidValue,
        ModelNotServed,
        NoEnsemble,
        ModelNotFound,
        FileNotFound,
        ServiceBusy,
        *FILE_LIMITS,
    ),
)
async def create_classification_batch(
    services: ServicesDep, request: BatchRequest, http_request: Request
) -> BatchObject:
    """Classify every row of an uploaded file and store the predictions as a result file.

    The response is sent once all rows are classified.
    """
    lane = services.heavy.long_classifications
    with ClientWatch(http_request.receive) as client:
        return await lane.run(
            services.owner_id, batches.classify_file, services, request, client.is_gone
        )
