"""Errors, and ids with a slash."""

from typing import Any

import openai

from tests.client.driver.service import MODEL, Sent, Service, refused


def errors_are_the_clients_own(service: Service) -> None:
    client = service.strict
    jobs = client.fine_tuning.jobs
    unknown = refused(
        lambda: jobs.create(model=MODEL, training_file="file-x", extra_body={"colour": "red"}),
        openai.BadRequestError,
        "invalid_request",
    )
    assert (unknown.param, unknown.type) == ("colour", "invalid_request_error")
    integration: Any = {"type": "wandb", "wandb": {"project": "reviews"}}
    elsewhere = refused(
        lambda: jobs.create(model=MODEL, training_file="file-x", integrations=[integration]),
        openai.BadRequestError,
        "invalid_request",
    )
    assert elsewhere.param == "integrations"
    missing = refused(
        lambda: jobs.create(model=MODEL, training_file="file-x"),
        openai.NotFoundError,
        "file_not_found",
    )
    assert missing.param == "training_file"
    refused(
        lambda: jobs.create(model="gpt-none", training_file=service.reviews(20)),
        openai.BadRequestError,
        "model_not_allowed",
    )
    for call in (
        jobs.retrieve,
        jobs.cancel,
        jobs.pause,
        jobs.resume,
        jobs.list_events,
        jobs.checkpoints.list,
    ):
        refused(lambda call=call: call("ftjob-none"), openai.NotFoundError, "job_not_found")  # type: ignore[misc]
    refused(lambda: client.uploads.cancel("upload_none"), openai.NotFoundError, "upload_not_found")
    refused(lambda: client.get("/nothing", cast_to=object), openai.NotFoundError, "route_not_found")


def request_ids(service: Service) -> None:
    raw = service.strict.models.with_raw_response.list()
    assert raw.request_id
    assert raw.request_id == raw.headers["x-request-id"]
    assert service.strict.models.retrieve(MODEL)._request_id not in (None, raw.request_id)


def a_slash_in_a_models_id(service: Service) -> None:
    """Older versions of the client send it as it is, newer ones as ``%2F``."""
    client = service.strict
    calls = (
        lambda: client.models.retrieve("org/none"),
        lambda: client.models.delete("org/none"),
        lambda: client.get("/models/org/none", cast_to=object),
        lambda: client.get("/models/org%2Fnone", cast_to=object),
    )
    for call in calls:
        assert "'org/none'" in refused(call, openai.NotFoundError, "model_not_found").message
    written = Sent("GET", "/v1/models/org/none"), Sent("GET", "/v1/models/org%2Fnone")
    assert set(written) <= set(service.sent)
    assert client.models.retrieve(MODEL).id == MODEL
    refused(lambda: client.models.delete(MODEL), openai.BadRequestError, "model_in_use")


CHECKS = (errors_are_the_clients_own, request_ids, a_slash_in_a_models_id)
