"""Checks of errors, request ids, and model ids with a slash."""

from functools import partial
from typing import Any

import openai

from tests.client.driver.service import MODEL, SentRequest, Service, expect_api_error


def check_errors_become_the_client_exceptions(service: Service) -> None:
    client = service.strict
    jobs = client.fine_tuning.jobs
    unknown = expect_api_error(
        lambda: jobs.create(model=MODEL, training_file="file-x", extra_body={"colour": "red"}),
        openai.BadRequestError,
        "invalid_request",
    )
    assert (unknown.param, unknown.type) == ("colour", "invalid_request_error")
    integration: Any = {"type": "wandb", "wandb": {"project": "reviews"}}
    unsupported = expect_api_error(
        lambda: jobs.create(model=MODEL, training_file="file-x", integrations=[integration]),
        openai.BadRequestError,
        "invalid_request",
    )
    assert unsupported.param == "integrations"
    missing = expect_api_error(
        lambda: jobs.create(model=MODEL, training_file="file-x"),
        openai.NotFoundError,
        "file_not_found",
    )
    assert missing.param == "training_file"
    expect_api_error(
        lambda: jobs.create(model="gpt-none", training_file=service.upload_reviews(20)),
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
        expect_api_error(partial(call, "ftjob-none"), openai.NotFoundError, "job_not_found")
    expect_api_error(
        lambda: client.uploads.cancel("upload_none"), openai.NotFoundError, "upload_not_found"
    )
    expect_api_error(
        lambda: client.get("/nothing", cast_to=object), openai.NotFoundError, "route_not_found"
    )


def check_request_ids(service: Service) -> None:
    raw = service.strict.models.with_raw_response.list()
    assert raw.request_id
    assert raw.request_id == raw.headers["x-request-id"]
    assert service.strict.models.retrieve(MODEL)._request_id not in (None, raw.request_id)


def check_model_ids_with_a_slash(service: Service) -> None:
    """Older versions of the client send the slash plain, newer ones as ``%2F``."""
    client = service.strict
    calls = (
        lambda: client.models.retrieve("org/none"),
        lambda: client.models.delete("org/none"),
        lambda: client.get("/models/org/none", cast_to=object),
        lambda: client.get("/models/org%2Fnone", cast_to=object),
    )
    for call in calls:
        assert (
            "'org/none'" in expect_api_error(call, openai.NotFoundError, "model_not_found").message
        )
    expected = (
        SentRequest("GET", "/v1/models/org/none"),
        SentRequest("GET", "/v1/models/org%2Fnone"),
    )
    assert set(expected) <= set(service.sent)
    assert client.models.retrieve(MODEL).id == MODEL
    expect_api_error(lambda: client.models.delete(MODEL), openai.BadRequestError, "model_in_use")


CHECKS = (
    check_errors_become_the_client_exceptions,
    check_request_ids,
    check_model_ids_with_a_slash,
)
