"""The official client sends files in parts, packed, and as old scripts have them."""

import gzip
import hashlib
import json
import time
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from tests.make import review_csv, reviews


def test_a_file_in_parts(client: OpenAI) -> None:
    content = review_csv(200)
    upload = client.uploads.create(
        bytes=len(content), filename="reviews.csv", mime_type="text/csv", purpose="fine-tune"
    )
    assert upload.status == "pending"
    second = client.uploads.parts.create(upload.id, data=content[1000:])
    first = client.uploads.parts.create(upload.id, data=content[:1000])
    with pytest.raises(openai.BadRequestError) as refused:
        client.uploads.complete(upload.id, part_ids=[second.id, first.id], md5=hashlib.md5(content).hexdigest())
    assert refused.value.param == "md5"
    completed = client.uploads.complete(upload.id, part_ids=[first.id, second.id], md5=hashlib.md5(content).hexdigest())
    assert completed.status == "completed"
    assert completed.file is not None
    assert client.files.content(completed.file.id).read() == content


def test_the_clients_own_way_with_large_files(client: OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv.gz"
    path.write_bytes(gzip.compress(review_csv(300)))
    upload = client.uploads.upload_file_chunked(file=path, mime_type="text/csv", purpose="fine-tune", part_size=1000)
    assert upload.file is not None
    assert upload.file.filename == "reviews.csv.gz"
    assert client.files.retrieve(upload.file.id).status == "processed"


def test_cancelling(client: OpenAI) -> None:
    upload = client.uploads.create(bytes=10, filename="a.csv", mime_type="text/csv", purpose="fine-tune")
    part = client.uploads.parts.create(upload.id, data=b"0123456789")
    assert client.uploads.cancel(upload.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError) as refused:
        client.uploads.complete(upload.id, part_ids=[part.id])
    assert refused.value.code == "upload_not_pending"


def test_a_chat_file_of_an_old_script_trains(client: OpenAI) -> None:
    lines = [
        json.dumps({"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": label}]})
        for text, label in reviews(40)
    ]
    file = client.files.create(file=("old.jsonl", "\n".join(lines).encode()), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(
        model="tiny-bert", training_file=file.id, extra_body={"recipe": {"max_steps": 5}, "runs": {"num_seeds": 1}}
    )
    while job.status not in ("succeeded", "failed", "cancelled"):
        time.sleep(0.2)
        job = client.fine_tuning.jobs.retrieve(job.id)
    assert job.status == "succeeded", job.error
    preview = client.get(f"/files/{file.id}/preview?n=2&model={job.fine_tuned_model}", cast_to=object)
    assert isinstance(preview, dict)
    assert [row["tokens"][0] for row in preview["data"]] == ["[CLS]"] * 2
