"""Checks of cancelling, pausing and resuming."""

from functools import partial

import openai

from tests.client.driver.service import LONG, MODEL, Service, expect_api_error, expect_error


def check_cancelling(service: Service) -> None:
    """Cancelling an ended job is an error, and the client does not retry it."""
    jobs, file = service.strict.fine_tuning.jobs, service.upload_reviews()
    job = jobs.create(model=MODEL, training_file=file, extra_body=LONG)
    expect_api_error(
        lambda: service.strict.files.delete(file), openai.BadRequestError, "file_in_use"
    )
    service.wait(job, "running")
    job = service.wait(jobs.cancel(job.id))
    assert job.status == "cancelled"
    retrying = service.create_client(max_retries=2)
    for call in (
        retrying.fine_tuning.jobs.cancel,
        retrying.fine_tuning.jobs.pause,
        retrying.fine_tuning.jobs.resume,
    ):
        before = len(service.sent)
        expect_api_error(partial(call, job.id), openai.BadRequestError, "job_already_ended")
        assert len(service.sent) == before + 1
    assert service.strict.files.delete(file).deleted


def check_pausing_and_resuming(service: Service) -> None:
    """The client's types lack the status ``paused``, so only a client without strict validation
    accepts it.
    """
    jobs, file = service.strict.fine_tuning.jobs, service.upload_reviews()
    job = jobs.create(
        model=MODEL,
        training_file=file,
        metadata={"batch": file},
        extra_body=LONG,
    )
    service.wait(job, "running")
    error = expect_error(lambda: jobs.pause(job.id), openai.APIResponseValidationError)
    assert isinstance(error.body, dict)
    assert error.body["status"] == "paused"
    plain = service.create_client(strict=False).fine_tuning.jobs
    assert str(plain.pause(job.id).status) == "paused"  # pausing again has no effect
    assert [str(listed.status) for listed in plain.list(metadata={"batch": file})] == ["paused"]
    job = service.wait(jobs.resume(job.id), "running")
    assert job.status == "running"
    service.stop(job)


CHECKS = (check_cancelling, check_pausing_and_resuming)
