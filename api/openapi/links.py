"""Where to go from an answer: which operations take the id that another has answered."""

from typing import Any, NamedTuple

Node = dict[str, Any]


class Way(NamedTuple):
    """From the answer of one operation to another, by a value of the answer."""

    to: str
    parameter: str | None = None
    """Of the operation, that takes the value; None where a field of its body does."""
    field: str | None = None
    value: str = "$response.body#/id"
    also: tuple[str, ...] = ()
    """Parameters that both have, passed on."""


_JOB_READS = (
    "retrieve_job",
    "list_events",
    "list_checkpoints",
    "list_runs",
    "stability",
    "stability_csv",
)
_JOB_MOVES = (
    "pause_job",
    "resume_job",
    "extend_job",
    "clone_job",
    "cancel_job",
    "list_webhook_deliveries",
)
_JOB = tuple(Way(to, "job_id") for to in (*_JOB_READS, *_JOB_MOVES))
_FIRST_RUN = tuple(
    Way(to, "run_id", value="$response.body#/data/0/id", also=("job_id",))
    for to in ("retrieve_run", "run_metrics", "cancel_run", "retry_run")
)
WAYS: dict[str, tuple[Way, ...]] = {
    "create_file": (
        *(
            Way(to, "file_id")
            for to in ("retrieve_file", "file_validation", "preview_file", "validate_file")
        ),
        *(Way(to, "file_id") for to in ("file_content", "delete_file")),
        Way("create_job", field="training_file"),
        Way("create_classification_batch", field="input_file"),
    ),
    "create_upload": tuple(
        Way(to, "upload_id") for to in ("add_upload_part", "complete_upload", "cancel_upload")
    ),
    "add_upload_part": (Way("complete_upload", "upload_id", value="$response.body#/upload_id"),),
    "complete_upload": (Way("retrieve_file", "file_id", value="$response.body#/file/id"),),
    "create_job": _JOB,
    "clone_job": _JOB,
    "cancel_job": (Way("delete_job", "job_id"), Way("retrieve_job", "job_id")),
    "list_runs": _FIRST_RUN,
    "retrieve_job": (
        Way("retrieve_model", "model", value="$response.body#/fine_tuned_model"),
        Way("create_classification", field="model", value="$response.body#/fine_tuned_model"),
        Way("file_content", "file_id", value="$response.body#/result_files/0"),
    ),
    "create_comparison": (Way("retrieve_comparison", "comparison_id"),),
    "create_classification_batch": (
        Way("file_content", "file_id", value="$response.body#/output_file_id"),
    ),
}
"""By the operation that answers."""


def add_links(document: Node) -> None:
    """Put the ways that lead on from each operation's success beside it."""
    for methods in document["paths"].values():
        for operation in methods.values():
            ways = WAYS.get(operation["operationId"], ())
            if ways:
                operation["responses"]["200"]["links"] = {way.to: _link(way) for way in ways}


def _link(way: Way) -> Node:
    link: Node = {"operationId": way.to}
    if way.parameter is not None:
        passed = {name: f"$request.path.{name}" for name in way.also}
        link["parameters"] = {**passed, way.parameter: way.value}
    else:
        link["requestBody"] = {way.field: way.value}
    return link
