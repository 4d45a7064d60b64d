"""Checks of jobs, from their creation to their results."""

import io
import json
import zipfile
from typing import Any

import openai

from tests.client.driver.receiver import SECRET, run_receiver
from tests.client.driver.service import LONG, MODEL, Service, expect_api_error, expect_error
from tests.make import pair_tsv, reviews


def check_job_from_upload_to_download(service: Service) -> None:
    """Pairs as TSV with stray quotes and skewed labels; a webhook is notified of the end."""
    client, jobs = service.strict, service.strict.fine_tuning.jobs
    file = client.files.create(file=("pairs.tsv", pair_tsv(80)), purpose="fine-tune")
    with run_receiver() as receiver:
        job = jobs.create(
            model=MODEL,
            training_file=file.id,
            seed=11,
            suffix="pairs",
            metadata={"origin": file.id},
            extra_body={
                "runs": {"num_seeds": 3},
                "recipe": {"max_steps": 10, "reinit_layers": 1, "learning_rate": 6.4e-4},
                "webhook": {"url": receiver.url, "secret": SECRET},
            },
        )
        assert (job.seed, job.training_file, job.organization_id) == (11, file.id, "local")
        job = service.train(job)
        _check_webhook(service, receiver.wait(), job.id)
    assert (job.trained_tokens or 0) > 0
    assert (job.finished_at or 0) >= job.created_at
    assert [listed.id for listed in jobs.list(metadata={"origin": file.id})] == [job.id]
    _check_events_and_checkpoints(service, job.id)
    contents = {
        client.files.retrieve(name).filename: client.files.content(name).read()
        for name in job.result_files
    }
    assert {client.files.retrieve(name).purpose for name in job.result_files} == {
        "fine-tune-results"
    }
    assert contents["metrics.csv"].startswith(
        b"step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy,"
    )
    with zipfile.ZipFile(io.BytesIO(contents["model.zip"])) as archive:
        assert "model.safetensors" in archive.namelist()
    report = client.get(f"/fine_tuning/jobs/{job.id}/stability", cast_to=object)
    assert isinstance(report, dict)
    assert report["n"] == 3
    _check_model(service, job.fine_tuned_model or "")


def _check_webhook(service: Service, delivery: tuple[dict[str, str], bytes], job_id: str) -> None:
    headers, body = delivery
    event = service.strict.webhooks.unwrap(body, headers, secret=SECRET)
    assert event.type == "fine_tuning.job.succeeded"
    assert event.data.id == job_id
    changed = body.replace(b"succeeded", b"cancelled")
    expect_error(
        lambda: service.strict.webhooks.unwrap(changed, headers, secret=SECRET),
        openai.InvalidWebhookSignatureError,
    )


def _check_events_and_checkpoints(service: Service, job_id: str) -> None:
    jobs = service.strict.fine_tuning.jobs
    first = jobs.list_events(job_id, limit=5)
    assert first.has_more
    events = list(first)
    assert (
        len({event.id for event in events}) == len(events) > 5
    )  # the client requested further pages
    assert events == list(jobs.list_events(job_id, limit=100))
    assert events[-1].message.startswith("Created")
    assert {event.type for event in events} == {"message", "metrics"}
    checkpoints = list(jobs.checkpoints.list(job_id, limit=1))
    assert [checkpoint.fine_tuning_job_id for checkpoint in checkpoints] == [job_id]
    metrics, name = checkpoints[0].metrics, checkpoints[0].fine_tuned_model_checkpoint
    assert None not in (metrics.train_loss, metrics.valid_loss, metrics.full_valid_loss)
    assert name.endswith(f":ckpt-step-{checkpoints[0].step_number}")
    assert service.strict.models.retrieve(name).id == name


def _check_model(service: Service, model_id: str) -> None:
    models = service.strict.models
    model = models.retrieve(model_id)
    assert model.id == model_id
    assert model_id.startswith(f"ft:{MODEL}:local:pairs:")
    assert model in list(models.list())
    assert models.delete(model_id).deleted
    expect_api_error(lambda: models.retrieve(model_id), openai.NotFoundError, "model_not_found")


def check_hyperparameters_of_old_scripts(service: Service) -> None:
    """Its hyperparameters in the deprecated place and in the new one are one job's."""
    client = service.strict
    lines = [
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": text},
                    {"role": "assistant", "content": label},
                ]
            }
        )
        for text, label in reviews(40)
    ]
    file = client.files.create(file=("old.jsonl", "\n".join(lines).encode()), purpose="fine-tune")
    fixed: Any = {"reinit_layers": 1, "reinit_pooler": True}
    extra_body = {"runs": {"num_seeds": 1}, "recipe": fixed}
    old = client.fine_tuning.jobs.create(
        model=MODEL,
        training_file=file.id,
        hyperparameters={"n_epochs": 2, "batch_size": 8, "learning_rate_multiplier": 0.5},
        extra_body=extra_body,
    )
    new = client.fine_tuning.jobs.create(
        model=MODEL,
        training_file=file.id,
        method={
            "type": "supervised",
            "supervised": {
                "hyperparameters": {"n_epochs": 2, "batch_size": 8, "learning_rate_multiplier": 0.5}
            },
        },
        extra_body=extra_body,
    )
    assert old.hyperparameters == new.hyperparameters
    assert (old.hyperparameters.n_epochs, old.hyperparameters.batch_size) == (2, 8)
    assert new.method is not None
    assert new.method.type == "supervised"
    assert old.to_dict()["resolved_recipe"] == new.to_dict()["resolved_recipe"]
    service.stop(new)
    old = service.train(old)
    preview = client.get(
        f"/files/{file.id}/preview?n=2&model={old.fine_tuned_model}", cast_to=object
    )
    assert isinstance(preview, dict)
    assert [row["tokens"][0] for row in preview["data"]] == ["[CLS]"] * 2


def check_pagination_and_metadata_of_jobs(service: Service) -> None:
    jobs, file = service.strict.fine_tuning.jobs, service.upload_reviews()
    created = [
        jobs.create(
            model=MODEL,
            training_file=file,
            seed=n,
            metadata={"batch": file, "n": str(n)},
            extra_body=LONG,
        ).id
        for n in range(3)
    ]
    assert [job.id for job in jobs.list(limit=1, metadata={"batch": file})] == created[::-1]
    assert [job.id for job in jobs.list(metadata={"batch": file, "n": "1"})] == [created[1]]
    page = jobs.list(after=created[2], limit=1, metadata={"batch": file})
    assert (page.data[0].id, page.has_more) == (created[1], True)
    for job_id in created:
        service.stop(jobs.retrieve(job_id))


CHECKS = (
    check_job_from_upload_to_download,
    check_hyperparameters_of_old_scripts,
    check_pagination_and_metadata_of_jobs,
)
