"""Large files, in parts."""

import gzip
import hashlib
import tempfile
from pathlib import Path

import openai

from tests.client.driver.service import Service, refused
from tests.make import review_csv


def a_file_in_parts(service: Service) -> None:
    uploads, content = service.strict.uploads, review_csv(200)
    md5 = hashlib.md5(content).hexdigest()
    upload = uploads.create(
        bytes=len(content), filename="reviews.csv", mime_type="text/csv", purpose="fine-tune"
    )
    assert upload.status == "pending"
    second = uploads.parts.create(upload.id, data=content[1000:])
    first = uploads.parts.create(upload.id, data=content[:1000])
    swapped = [second.id, first.id]
    error = refused(
        lambda: uploads.complete(upload.id, part_ids=swapped, md5=md5),
        openai.BadRequestError,
        "invalid_value",
    )
    assert error.param == "md5"
    completed = uploads.complete(upload.id, part_ids=swapped[::-1], md5=md5)
    assert completed.status == "completed"
    assert completed.file is not None
    assert service.strict.files.content(completed.file.id).read() == content
    again = uploads.complete(
        upload.id, part_ids=swapped[::-1], md5=md5
    )  # as a client does that saw no answer
    assert again.file == completed.file


def the_clients_own_way_with_large_files(service: Service) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.csv.gz"
        path.write_bytes(gzip.compress(review_csv(300)))
        upload = service.strict.uploads.upload_file_chunked(
            file=path, mime_type="text/csv", purpose="fine-tune", part_size=1000
        )
    assert upload.file is not None
    assert upload.file.filename == "reviews.csv.gz"
    assert service.strict.files.retrieve(upload.file.id).status == "processed"


def a_cancelled_upload(service: Service) -> None:
    uploads = service.strict.uploads
    upload = uploads.create(bytes=10, filename="a.csv", mime_type="text/csv", purpose="fine-tune")
    part = uploads.parts.create(upload.id, data=b"0123456789")
    assert uploads.cancel(upload.id).status == "cancelled"
    refused(
        lambda: uploads.complete(upload.id, part_ids=[part.id]),
        openai.BadRequestError,
        "upload_not_pending",
    )


CHECKS = (a_file_in_parts, the_clients_own_way_with_large_files, a_cancelled_upload)
