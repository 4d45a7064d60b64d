"""OpenAPI links: which operations accept an ID that a response contains."""

from typing import NamedTuple

from api.openapi.nodes import JsonNode, iterate_operations


class ResponseLink(NamedTuple):
    """A link from a response to another operation, by a value of the response."""

    operation_id: str
    parameter: str | None = None
    """The target's parameter for the value; None if ``field`` is given."""
    field: str | None = None
    """The field of the target's body for the value."""
    value: str = "$response.body#/id"
    path_parameters: tuple[str, ...] = ()
    """Path parameters that both operations have; their values are passed on."""


_JOB_READ_OPERATIONS = (
    "retrieve_job",
    "list_events",
    "list_checkpoints",
    "list_runs",
    "stability",
    "stability_csv",
)
_JOB_ACTION_OPERATIONS = (
    "pause_job",
    "resume_job",
    "extend_job",
    "clone_job",
    "cancel_job",
    "list_webhook_deliveries",
)
_JOB_LINKS = tuple(
    ResponseLink(to, "job_id") for to in (*_JOB_READ_OPERATIONS, *_JOB_ACTION_OPERATIONS)
)
_FIRST_RUN_LINKS = tuple(
    ResponseLink(to, "run_id", value="$response.body#/data/0/id", path_parameters=("job_id",))
    for to in ("retrieve_run", "run_metrics", "cancel_run", "retry_run")
)
RESPONSE_LINKS: dict[str, tuple[ResponseLink, ...]] = {
    "create_file": (
        *(
            ResponseLink(to, "file_id")
            for to in ("retrieve_file", "file_validation", "preview_file", "validate_file")
        ),
        *(ResponseLink(to, "file_id") for to in ("file_content", "delete_file")),
        ResponseLink("create_job", field="training_file"),
        ResponseLink("create_classification_batch", field="input_file"),
    ),
    "create_upload": tuple(
        ResponseLink(to, "upload_id")
        for to in ("add_upload_part", "complete_upload", "cancel_upload")
    ),
    "add_upload_part": (
        ResponseLink("complete_upload", "upload_id", value="$response.body#/upload_id"),
    ),
    "complete_upload": (ResponseLink("retrieve_file", "file_id", value="$response.body#/file/id"),),
    "create_job": _JOB_LINKS,
    "clone_job": _JOB_LINKS,
    "cancel_job": (ResponseLink("delete_job", "job_id"), ResponseLink("retrieve_job", "job_id")),
    "list_runs": _FIRST_RUN_LINKS,
    "retrieve_job": (
        ResponseLink("retrieve_model", "model", value="$response.body#/fine_tuned_model"),
        ResponseLink(
            "create_classification", field="model", value="$response.body#/fine_tuned_model"
        ),
        ResponseLink("file_content", "file_id", value="$response.body#/result_files/0"),
    ),
    "create_comparison": (ResponseLink("retrieve_comparison", "comparison_id"),),
    "create_classification_batch": (
        ResponseLink("file_content", "file_id", value="$response.body#/output_file_id"),
    ),
}
"""Links by the ID of the operation that responds."""


def add_links(document: JsonNode) -> None:
    """Add the links to the successful response of each operation."""
    for _, operation in iterate_operations(document):
        links = RESPONSE_LINKS.get(operation["operationId"], ())
        if links:
            operation["responses"]["200"]["links"] = {
                link.operation_id: _build_link(link) for link in links
            }


def _build_link(definition: ResponseLink) -> JsonNode:
    link: JsonNode = {"operationId": definition.operation_id}
    if definition.parameter is not None:
        shared = {name: f"$request.path.{name}" for name in definition.path_parameters}
        link["parameters"] = {**shared, definition.parameter: definition.value}
    else:
        link["requestBody"] = {definition.field: definition.value}
    return link
