"""Cancelling, pausing and resuming."""

import openai

from tests.client.driver.service import LONG, MODEL, Service, raised, refused


def cancelling(service: Service) -> None:
    """To cancel what has ended is an error that the client does not send again."""
    jobs, file = service.strict.fine_tuning.jobs, service.reviews()
    job = jobs.create(model=MODEL, training_file=file, extra_body=LONG)
    refused(lambda: service.strict.files.delete(file), openai.BadRequestError, "file_in_use")
    service.wait(job, "running")
    job = service.wait(jobs.cancel(job.id))
    assert job.status == "cancelled"
    patient = service.client(max_retries=2)
    for call in (
        patient.fine_tuning.jobs.cancel,
        patient.fine_tuning.jobs.pause,
        patient.fine_tuning.jobs.resume,
    ):
        before = len(service.sent)
        refused(lambda call=call: call(job.id), openai.BadRequestError, "job_already_ended")  # type: ignore[misc]
        assert len(service.sent) == before + 1
    assert service.strict.files.delete(file).deleted


def pausing_and_resuming(service: Service) -> None:
    """The client's types do not know the status ``paused``: a strict client refuses what a
    plain one reads.
    """
    jobs, file = service.strict.fine_tuning.jobs, service.reviews()
    job = jobs.create(
        model=MODEL,
        training_file=file,
        metadata={"batch": file},
        extra_body=LONG,
    )
    service.wait(job, "running")
    error = raised(lambda: jobs.pause(job.id), openai.APIResponseValidationError)
    assert isinstance(error.body, dict)
    assert error.body["status"] == "paused"
    plain = service.client(strict=False).fine_tuning.jobs
    assert str(plain.pause(job.id).status) == "paused"  # once more changes nothing
    assert [str(one.status) for one in plain.list(metadata={"batch": file})] == ["paused"]
    job = service.wait(jobs.resume(job.id), "running")
    assert job.status == "running"
    service.stop(job)


CHECKS = (cancelling, pausing_and_resuming)
