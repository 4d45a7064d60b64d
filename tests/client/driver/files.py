"""Files, call by call."""

import io
import tempfile
from pathlib import Path

import openai
from openai.types import FilePurpose

from tests.client.driver.service import Service, refused
from tests.make import pair_tsv, review_csv


def whatever_the_client_takes_for_a_file(service: Service) -> None:
    content = review_csv(30)
    named = io.BytesIO(content)
    named.name = "named.csv"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.csv"
        path.write_bytes(content)
        with path.open("rb") as opened:
            files = [
                service.strict.files.create(file=given, purpose="fine-tune")
                for given in (
                    path,
                    opened,
                    named,
                    ("tuple.csv", content),
                    ("typed.csv", content, "text/csv"),
                    content,
                )
            ]
    names = ["reviews.csv", "reviews.csv", "named.csv", "tuple.csv", "typed.csv", "upload"]
    assert [file.filename for file in files] == names
    assert {(file.object, file.bytes, file.status) for file in files} == {
        ("file", len(content), "processed")
    }


def a_file_from_creation_to_deletion(service: Service) -> None:
    files, content = service.strict.files, pair_tsv(25)
    file = files.create(
        file=("pairs.tsv", content),
        purpose="user_data",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert file.expires_at == file.created_at + 3600
    assert files.wait_for_processing(file.id) == files.retrieve(file.id)
    assert files.content(file.id).read() == content
    with (
        tempfile.TemporaryDirectory() as folder,
        files.with_streaming_response.content(file.id) as streamed,
    ):
        streamed.stream_to_file(Path(folder) / "copy.tsv")
        assert (Path(folder) / "copy.tsv").read_bytes() == content
    deleted = files.delete(file.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (file.id, "file", True)
    for call in (files.retrieve, files.delete, files.content):
        missing = refused(lambda call=call: call(file.id), openai.NotFoundError, "file_not_found")  # type: ignore[misc]
        assert missing.param == "file_id"


def every_purpose_that_the_client_knows(service: Service) -> None:
    """The client's type of an answer has no ``evals``, though its type of a request has."""
    files = service.strict.files
    answered: dict[FilePurpose, str] = {
        "fine-tune": "fine-tune",
        "user_data": "user_data",
        "evals": "user_data",
    }
    for purpose, shown in answered.items():
        file = files.create(file=("a.csv", review_csv(20)), purpose=purpose)
        assert (file.purpose, files.retrieve(file.id).purpose) == (shown, shown)
        for listed in {purpose, shown}:
            assert files.list(purpose=listed, limit=1).data[0] == files.list(limit=1).data[0]
        upload = service.strict.uploads.create(
            bytes=9, filename="a.csv", mime_type="text/csv", purpose=purpose
        )
        service.strict.uploads.cancel(upload.id)
    unknown: tuple[FilePurpose, ...] = ("assistants", "batch", "vision")
    for purpose in unknown:
        error = refused(
            lambda purpose=purpose: files.create(file=("a.csv", b"text,label\n"), purpose=purpose),  # type: ignore[misc]
            openai.BadRequestError,
            "invalid_request",
        )
        assert error.param == "purpose"


def lists_turn_their_pages(service: Service) -> None:
    files = service.strict.files
    made = [
        files.create(file=(f"{n}.csv", review_csv(20, seed=n)), purpose="user_data").id
        for n in range(3)
    ]
    newest = [file.id for file in files.list(purpose="user_data", limit=1)]
    assert newest[:3] == made[::-1]
    assert [file.id for file in files.list(purpose="user_data", limit=2, order="asc")][-3:] == made
    after = files.list(purpose="user_data", after=made[1], limit=1000)
    assert after.data[0].id == made[0]
    assert not after.has_more


def what_is_no_table_is_refused(service: Service) -> None:
    def send() -> None:
        service.strict.files.create(file=("x.csv", b"\xff\xfe\x00"), purpose="fine-tune")

    refused(send, openai.UnprocessableEntityError, "encoding_not_utf8")


CHECKS = (
    whatever_the_client_takes_for_a_file,
    a_file_from_creation_to_deletion,
    every_purpose_that_the_client_knows,
    lists_turn_their_pages,
    what_is_no_table_is_refused,
)
