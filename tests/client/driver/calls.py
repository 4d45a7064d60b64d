"""The client's calls that are supported, and the request that each of them sends."""

from openai import OpenAI

CALLS = {
    "files.create": "POST /v1/files",
    "files.list": "GET /v1/files",
    "files.retrieve": "GET /v1/files/*",
    "files.wait_for_processing": "GET /v1/files/*",
    "files.content": "GET /v1/files/*/content",
    "files.delete": "DELETE /v1/files/*",
    "uploads.create": "POST /v1/uploads",
    "uploads.parts.create": "POST /v1/uploads/*/parts",
    "uploads.complete": "POST /v1/uploads/*/complete",
    "uploads.cancel": "POST /v1/uploads/*/cancel",
    "uploads.upload_file_chunked": "POST /v1/uploads",
    "fine_tuning.jobs.create": "POST /v1/fine_tuning/jobs",
    "fine_tuning.jobs.list": "GET /v1/fine_tuning/jobs",
    "fine_tuning.jobs.retrieve": "GET /v1/fine_tuning/jobs/*",
    "fine_tuning.jobs.cancel": "POST /v1/fine_tuning/jobs/*/cancel",
    "fine_tuning.jobs.pause": "POST /v1/fine_tuning/jobs/*/pause",
    "fine_tuning.jobs.resume": "POST /v1/fine_tuning/jobs/*/resume",
    "fine_tuning.jobs.list_events": "GET /v1/fine_tuning/jobs/*/events",
    "fine_tuning.jobs.checkpoints.list": "GET /v1/fine_tuning/jobs/*/checkpoints",
    "models.list": "GET /v1/models",
    "models.retrieve": "GET /v1/models/*",
    "models.delete": "DELETE /v1/models/*",
}
OFFLINE_CALLS = ("webhooks.unwrap",)
"""Calls that send no request."""


def list_missing_calls(client: OpenAI) -> list[str]:
    """List the calls that this version of the client does not have."""
    return [name for name in (*CALLS, *OFFLINE_CALLS) if not _has_call(client, name)]


def _has_call(client: object, name: str) -> bool:
    target = client
    for attribute in name.split("."):
        if not hasattr(target, attribute):
            return False
        target = getattr(target, attribute)
    return True
