"""The official client's files, call by call."""

import io
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from tests.make import pair_tsv, review_csv


def test_whatever_the_client_takes_for_a_file(client: OpenAI, tmp_path: Path) -> None:
    content = review_csv(30)
    path = tmp_path / "reviews.csv"
    path.write_bytes(content)
    named = io.BytesIO(content)
    named.name = "named.csv"
    with path.open("rb") as opened:
        files = [
            client.files.create(file=given, purpose="fine-tune")
            for given in (path, opened, named, ("tuple.csv", content), ("typed.csv", content, "text/csv"), content)
        ]
    assert [file.filename for file in files] == [
        "reviews.csv",
        "reviews.csv",
        "named.csv",
        "tuple.csv",
        "typed.csv",
        "upload",
    ]
    assert {(file.object, file.bytes, file.status) for file in files} == {("file", len(content), "processed")}


def test_a_file_from_creation_to_deletion(client: OpenAI, tmp_path: Path) -> None:
    content = pair_tsv(25)
    file = client.files.create(
        file=("pairs.tsv", content), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert file.expires_at == file.created_at + 3600
    assert client.files.wait_for_processing(file.id) == client.files.retrieve(file.id)
    assert client.files.content(file.id).read() == content
    with client.files.with_streaming_response.content(file.id) as streamed:
        streamed.stream_to_file(tmp_path / "copy.tsv")
    assert (tmp_path / "copy.tsv").read_bytes() == content
    deleted = client.files.delete(file.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (file.id, "file", True)
    for call in (client.files.retrieve, client.files.delete, client.files.content):
        with pytest.raises(openai.NotFoundError) as missing:
            call(file.id)
        assert missing.value.code == "file_not_found"


def test_lists_turn_their_pages(client: OpenAI) -> None:
    made = [client.files.create(file=(f"{n}.csv", review_csv(20, seed=n)), purpose="user_data").id for n in range(3)]
    newest = [file.id for file in client.files.list(purpose="user_data", limit=1)]
    assert newest[:3] == made[::-1]
    assert [file.id for file in client.files.list(purpose="user_data", limit=2, order="asc")][-3:] == made
    after = client.files.list(purpose="user_data", after=made[1], limit=10)
    assert after.data[0].id == made[0]
    assert not after.has_more
