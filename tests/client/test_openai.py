"""The official ``openai`` client, with strict response validation, drives a job from upload to download."""

import io
import time
import zipfile

import openai
import pytest
from openai import OpenAI

from tests.make import pair_tsv, review_csv


def test_a_data_set_nobody_has_seen_through_the_client(client: OpenAI) -> None:
    """Pairs as TSV with stray quotes and skewed labels, four seeds."""
    file = client.files.create(file=("pairs.tsv", pair_tsv(80)), purpose="fine-tune")
    file = client.files.wait_for_processing(file.id)
    assert file.status == "processed"
    job = client.fine_tuning.jobs.create(
        model="tiny-bert",
        training_file=file.id,
        seed=11,
        suffix="pairs",
        metadata={"origin": "client"},
        extra_body={"runs": {"num_seeds": 4}, "recipe": {"max_steps": 10, "reinit_layers": 1}},
    )
    assert job.seed == 11
    while job.status not in ("succeeded", "failed", "cancelled"):
        time.sleep(0.2)
        job = client.fine_tuning.jobs.retrieve(job.id)
    assert job.status == "succeeded", job.error
    assert job.trained_tokens is not None
    assert job.trained_tokens > 0

    events = list(client.fine_tuning.jobs.list_events(job.id, limit=5))
    assert len(events) > 5  # the client turned the pages
    assert events[-1].message.startswith("Created")
    checkpoints = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    assert [checkpoint.fine_tuning_job_id for checkpoint in checkpoints] == [job.id]
    assert checkpoints[0].metrics.valid_loss is not None

    assert job.fine_tuned_model is not None
    model = client.models.retrieve(job.fine_tuned_model)
    assert model.id in [listed.id for listed in client.models.list()]
    contents = {client.files.retrieve(name).filename: client.files.content(name).read() for name in job.result_files}
    assert contents["metrics.csv"].startswith(b"step,train_loss,")
    with zipfile.ZipFile(io.BytesIO(contents["model.zip"])) as archive:
        assert "model.safetensors" in archive.namelist()

    report = client.get(f"/fine_tuning/jobs/{job.id}/stability", cast_to=object)
    assert isinstance(report, dict)
    assert report["n"] == 4
    assert client.models.delete(job.fine_tuned_model).deleted
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve(job.fine_tuned_model)


def test_cancelling_through_the_client(client: OpenAI) -> None:
    file = client.files.create(file=("reviews.csv", review_csv(60)), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(
        model="tiny-bert",
        training_file=file.id,
        extra_body={"recipe": {"max_steps": 100_000, "reinit_layers": 1}, "runs": {"num_seeds": 1}},
    )
    time.sleep(1)
    job = client.fine_tuning.jobs.cancel(job.id)
    for _ in range(100):
        if job.status == "cancelled":
            break
        time.sleep(0.1)
        job = client.fine_tuning.jobs.retrieve(job.id)
    assert job.status == "cancelled"
    with pytest.raises(openai.BadRequestError) as refused:
        client.fine_tuning.jobs.cancel(job.id)
    assert refused.value.code == "job_already_ended"
    assert client.files.delete(file.id).deleted


def test_errors_are_the_clients_own(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.fine_tuning.jobs.create(model="tiny-bert", training_file="file-x", extra_body={"colour": "red"})
    assert (refused.value.code, refused.value.param) == ("invalid_request", "colour")
    assert refused.value.request_id is not None
    with pytest.raises(openai.NotFoundError):
        client.fine_tuning.jobs.retrieve("ftjob-none")
    with pytest.raises(openai.UnprocessableEntityError) as unreadable:
        client.files.create(file=("x.csv", b"\xff\xfe\x00"), purpose="fine-tune")
    assert unreadable.value.code is not None
    listed = list(client.fine_tuning.jobs.list(limit=1))
    assert listed == sorted(listed, key=lambda job: job.id, reverse=True)


def test_pausing_and_resuming_through_the_client(client: OpenAI) -> None:
    file = client.files.create(file=("reviews.csv", review_csv(60)), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(
        model="tiny-bert",
        training_file=file.id,
        metadata={"batch": "paused"},
        method={
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 40, "batch_size": 4, "learning_rate_multiplier": 0.5}},
        },
        extra_body={"recipe": {"reinit_layers": 1}, "runs": {"num_seeds": 1}},
    )
    lenient = OpenAI(base_url=client.base_url, api_key="none", max_retries=0)  # the client's types know no "paused"
    while job.status == "queued":
        time.sleep(0.05)
        job = client.fine_tuning.jobs.retrieve(job.id)
    paused = lenient.fine_tuning.jobs.pause(job.id)
    assert str(paused.status) == "paused"
    assert [str(one.status) for one in lenient.fine_tuning.jobs.list(metadata={"batch": "paused"})] == ["paused"]
    lenient.close()
    job = client.fine_tuning.jobs.resume(job.id)
    while job.status not in ("succeeded", "failed", "cancelled"):
        time.sleep(0.2)
        job = client.fine_tuning.jobs.retrieve(job.id)
    assert job.status == "succeeded", job.error
    with pytest.raises(openai.BadRequestError) as refused:
        client.fine_tuning.jobs.pause(job.id)
    assert refused.value.code == "job_already_ended"
    dry = client.post(
        "/fine_tuning/jobs",
        body={"training_file": file.id, "model": "tiny-bert", "recipe": {"max_steps": 9, "reinit_layers": 1}},
        options={"params": {"dry_run": True}},
        cast_to=object,
    )
    assert isinstance(dry, dict)
    assert dry["estimate"]["seconds"] > 0
    queue = client.get("/queue", cast_to=object)
    assert isinstance(queue, dict)
    assert [worker["devices"] for worker in queue["workers"]] == [["cpu", "cpu"]]
