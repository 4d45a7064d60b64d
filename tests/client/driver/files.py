"""Checks of files."""

import io
import tempfile
from functools import partial
from pathlib import Path

import openai
from openai.types import FilePurpose

from tests.client.driver.service import Service, expect_api_error
from tests.make import pair_tsv, review_csv


def check_every_kind_of_file_argument(service: Service) -> None:
    content = review_csv(30)
    named = io.BytesIO(content)
    named.name = "named.csv"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.csv"
        path.write_bytes(content)
        with path.open("rb") as opened:
            files = [
                service.strict.files.create(file=argument, purpose="fine-tune")
                for argument in (
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


def check_file_from_creation_to_deletion(service: Service) -> None:
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
        missing = expect_api_error(partial(call, file.id), openai.NotFoundError, "file_not_found")
        assert missing.param == "file_id"


def check_purposes(service: Service) -> None:
    """The client's response type lacks the purpose ``evals`` that its request type has."""
    files = service.strict.files
    shown_purposes: dict[FilePurpose, str] = {
        "fine-tune": "fine-tune",
        "user_data": "user_data",
        "evals": "user_data",
    }
    for purpose, shown in shown_purposes.items():
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
        error = expect_api_error(
            partial(files.create, file=("a.csv", b"text,label\n"), purpose=purpose),
            openai.BadRequestError,
            "invalid_request",
        )
        assert error.param == "purpose"


def check_pagination_of_files(service: Service) -> None:
    files = service.strict.files
    created = [
        files.create(file=(f"{n}.csv", review_csv(20, seed=n)), purpose="user_data").id
        for n in range(3)
    ]
    newest = [file.id for file in files.list(purpose="user_data", limit=1)]
    assert newest[:3] == created[::-1]
    assert [file.id for file in files.list(purpose="user_data", limit=2, order="asc")][
        -3:
    ] == created
    after = files.list(purpose="user_data", after=created[1], limit=1000)
    assert after.data[0].id == created[0]
    assert not after.has_more


def check_unreadable_file_is_refused(service: Service) -> None:
    def upload() -> None:
        service.strict.files.create(file=("x.csv", b"\xff\xfe\x00"), purpose="fine-tune")

    expect_api_error(upload, openai.UnprocessableEntityError, "encoding_not_utf8")


CHECKS = (
    check_every_kind_of_file_argument,
    check_file_from_creation_to_deletion,
    check_purposes,
    check_pagination_of_files,
    check_unreadable_file_is_refused,
)
