"""Checks of files uploaded in parts."""

import gzip
import hashlib
import tempfile
from pathlib import Path

import openai

from tests.client.driver.service import Service, expect_api_error
from tests.make import review_csv


def check_upload_in_parts(service: Service) -> None:
    uploads, content = service.strict.uploads, review_csv(200)
    md5 = hashlib.md5(content).hexdigest()
    upload = uploads.create(
        bytes=len(content), filename="reviews.csv", mime_type="text/csv", purpose="fine-tune"
    )
    assert upload.status == "pending"
    second = uploads.parts.create(upload.id, data=content[1000:])
    first = uploads.parts.create(upload.id, data=content[:1000])
    swapped = [second.id, first.id]
    error = expect_api_error(
        lambda: uploads.complete(upload.id, part_ids=swapped, md5=md5),
        openai.BadRequestError,
        "invalid_value",
    )
    assert error.param == "md5"
    completed = uploads.complete(upload.id, part_ids=swapped[::-1], md5=md5)
    assert completed.status == "completed"
    assert completed.file is not None
    assert service.strict.files.content(completed.file.id).read() == content
    # a client that lost the response completes again
    again = uploads.complete(upload.id, part_ids=swapped[::-1], md5=md5)
    assert again.file == completed.file


def check_upload_file_chunked(service: Service) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.csv.gz"
        path.write_bytes(gzip.compress(review_csv(300)))
        upload = service.strict.uploads.upload_file_chunked(
            file=path, mime_type="text/csv", purpose="fine-tune", part_size=1000
        )
    assert upload.file is not None
    assert upload.file.filename == "reviews.csv.gz"
    assert service.strict.files.retrieve(upload.file.id).status == "processed"


def check_cancelled_upload(service: Service) -> None:
    uploads = service.strict.uploads
    upload = uploads.create(bytes=10, filename="a.csv", mime_type="text/csv", purpose="fine-tune")
    part = uploads.parts.create(upload.id, data=b"0123456789")
    assert uploads.cancel(upload.id).status == "cancelled"
    expect_api_error(
        lambda: uploads.complete(upload.id, part_ids=[part.id]),
        openai.BadRequestError,
        "upload_not_pending",
    )


CHECKS = (check_upload_in_parts, check_upload_file_chunked, check_cancelled_upload)
