"""Files in parts over HTTP: put together in the order asked for, once, within limits, and given
up when their time is over.
"""

import gzip
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from random import Random
from typing import Any

import hypothesis
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from shared.db.session import Database
from shared.db.tables import Upload
from shared.db.uploads import MOST_STORED
from shared.infra.broker import Bell
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from tests.make import review_csv
from worker.maintenance.garbage import collect_references
from worker.maintenance.sweeper import Sweeper

UPLOADS = "/v1/uploads"
CONTENT = review_csv(60)
HALF = len(CONTENT) // 2


def announce(http: TestClient, size: int = len(CONTENT), **fields: Any) -> dict[str, Any]:
    body = {
        "bytes": size,
        "filename": "reviews.csv",
        "mime_type": "text/csv",
        "purpose": "fine-tune",
        **fields,
    }
    answer = http.post(UPLOADS, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def send(http: TestClient, upload_id: str, data: bytes) -> str:
    answer = http.post(f"{UPLOADS}/{upload_id}/parts", files={"data": ("upload", data)})
    assert answer.status_code == 200, answer.text
    part = answer.json()
    assert (part["object"], part["upload_id"]) == ("upload.part", upload_id)
    return str(part["id"])


def complete(http: TestClient, upload_id: str, part_ids: list[str], **fields: Any) -> Any:
    return http.post(f"{UPLOADS}/{upload_id}/complete", json={"part_ids": part_ids, **fields})


def refusal(answer: Any) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


def in_storage(settings: Settings, upload_id: str) -> list[str]:
    return [
        blob.key for blob in Storage(settings.resolved_storage_url).list(f"uploads/{upload_id}")
    ]


def test_parts_become_a_file_in_the_order_asked_for(http: TestClient, settings: Settings) -> None:
    upload = announce(http)
    assert (upload["object"], upload["status"], upload["file"]) == ("upload", "pending", None)
    assert upload["expires_at"] == upload["created_at"] + 3600
    second, first = (
        send(http, upload["id"], CONTENT[HALF:]),
        send(http, upload["id"], CONTENT[:HALF]),
    )
    assert len(in_storage(settings, upload["id"])) == 2
    answer = complete(http, upload["id"], [first, second], md5=hashlib.md5(CONTENT).hexdigest())
    completed = answer.json()
    assert (answer.status_code, completed["status"], completed["bytes"]) == (
        200,
        "completed",
        len(CONTENT),
    )
    file = completed["file"]
    assert file == http.get(f"/v1/files/{file['id']}").json()
    assert (file["filename"], file["profile"]["rows"], file["expires_at"]) == (
        "reviews.csv",
        60,
        None,
    )
    assert http.get(f"/v1/files/{file['id']}/content").content == CONTENT
    assert in_storage(settings, upload["id"]) == []


@hypothesis.settings(deadline=None, max_examples=8)
@given(
    cuts=st.lists(st.integers(1, len(CONTENT) - 1), unique=True, max_size=6), chance=st.randoms()
)
def test_whatever_the_parts_and_the_order_they_come_in(
    http: TestClient, cuts: list[int], chance: Random
) -> None:
    pieces = list(pairwise([0, *sorted(cuts), len(CONTENT)]))
    upload = announce(http)
    sent = {
        piece: send(http, upload["id"], CONTENT[slice(*piece)])
        for piece in chance.sample(pieces, len(pieces))
    }
    file = complete(http, upload["id"], [sent[piece] for piece in pieces]).json()["file"]
    assert file["sha256"] == hashlib.sha256(CONTENT).hexdigest()


def test_the_same_completion_again_is_the_same_file(http: TestClient) -> None:
    upload = announce(http)
    parts = [send(http, upload["id"], CONTENT[:HALF]), send(http, upload["id"], CONTENT[HALF:])]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: complete(http, upload["id"], parts), range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.json()["file"]["id"] for answer in answers}) == 1
    assert refusal(complete(http, upload["id"], parts[::-1])) == (
        400,
        "upload_not_pending",
        "upload_id",
    )
    http.delete(f"/v1/files/{answers[0].json()['file']['id']}")
    assert complete(http, upload["id"], parts).json()["file"] is None


def test_the_file_is_kept_for_as_long_as_was_asked(http: TestClient) -> None:
    upload = announce(http, expires_after={"anchor": "created_at", "seconds": 7200})
    file = complete(http, upload["id"], [send(http, upload["id"], CONTENT)]).json()["file"]
    assert file["expires_at"] == file["created_at"] + 7200


def test_completions_that_do_not_fit_leave_the_upload_as_it_was(http: TestClient) -> None:
    upload = announce(http)
    other = announce(http)
    first, second, more = (
        send(http, upload["id"], data) for data in (CONTENT[:HALF], CONTENT[HALF:], b"x")
    )
    foreign = send(http, other["id"], CONTENT[HALF:])
    for part_ids in (
        [first],
        [first, second, more],
        [first, first],
        [first, foreign],
        [first, "part_none"],
    ):
        assert refusal(complete(http, upload["id"], part_ids)) == (400, "invalid_value", "part_ids")
    assert refusal(complete(http, upload["id"], [])) == (400, "invalid_request", "part_ids")
    wrong = complete(http, upload["id"], [second, first], md5=hashlib.md5(CONTENT).hexdigest())
    assert refusal(wrong) == (400, "invalid_value", "md5")
    assert refusal(complete(http, upload["id"], [first, second], md5="x")) == (
        400,
        "invalid_request",
        "md5",
    )
    assert complete(http, upload["id"], [first, second]).json()["status"] == "completed"


def test_what_is_no_table_is_refused_as_in_one_piece(http: TestClient) -> None:
    before = http.get("/v1/files").json()["data"]
    for content, expected in [
        (b"\xff\xfea", (422, "encoding_not_utf8", "file")),
        (b"PK\x03\x04 and more", (415, "unsupported_media_type", "file")),
        (b"text,label\n", (422, "empty_file", "file")),
    ]:
        upload = announce(http, len(content))
        part = send(http, upload["id"], content)
        assert refusal(complete(http, upload["id"], [part])) == expected
        assert http.post(f"{UPLOADS}/{upload['id']}/cancel").json()["status"] == "cancelled"
    assert http.get("/v1/files").json()["data"] == before


def test_gzip_in_parts(http: TestClient) -> None:
    packed = gzip.compress(CONTENT)
    upload = announce(http, len(packed), filename="reviews.csv.gz")
    parts = [
        send(http, upload["id"], packed[start : start + 100])
        for start in range(0, len(packed), 100)
    ]
    file = complete(http, upload["id"], parts).json()["file"]
    assert (file["profile"]["rows"], file["profile"]["compression"]) == (60, "gzip")


def test_a_cancelled_upload_is_over(http: TestClient, settings: Settings) -> None:
    upload = announce(http)
    part = send(http, upload["id"], CONTENT)
    for _ in range(2):  # a client that lost the answer asks again
        answer = http.post(f"{UPLOADS}/{upload['id']}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert in_storage(settings, upload["id"]) == []
    over = (400, "upload_not_pending", "upload_id")
    assert refusal(http.post(f"{UPLOADS}/{upload['id']}/parts", files={"data": b"abc"})) == over
    assert refusal(complete(http, upload["id"], [part])) == over
    completed = announce(http)
    complete(http, completed["id"], [send(http, completed["id"], CONTENT)])
    assert refusal(http.post(f"{UPLOADS}/{completed['id']}/cancel")) == over


def test_an_upload_is_given_up_when_its_time_is_over(
    http: TestClient, settings: Settings, database: Database
) -> None:
    upload, living = announce(http), announce(http)
    part = send(http, upload["id"], CONTENT)
    kept = send(http, living["id"], CONTENT)
    with database.write() as session:
        session.execute(
            update(Upload).where(Upload.id == upload["id"]).values(expires_at=Upload.created_at - 1)
        )
    over = (400, "upload_not_pending", "upload_id")
    assert refusal(complete(http, upload["id"], [part])) == over
    with database.read() as session:
        assert {f"uploads/{upload['id']}", f"uploads/{living['id']}"} <= collect_references(
            session
        ).prefixes
    bell, storage = Bell(settings.redis_url), Storage(settings.resolved_storage_url)
    Sweeper(settings, database, bell, storage).sweep()
    bell.close()
    assert in_storage(settings, upload["id"]) == []
    assert in_storage(settings, living["id"]) == [f"uploads/{living['id']}/{kept}"]
    assert refusal(http.post(f"{UPLOADS}/{upload['id']}/parts", files={"data": b"abc"})) == over
    with database.read() as session:
        assert session.get_one(Upload, upload["id"]).status == "expired"
        assert f"uploads/{upload['id']}" not in collect_references(session).prefixes


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"bytes": 0}, 400, "bytes"),
        ({"bytes": 1.5}, 400, "bytes"),
        ({"bytes": 300_001}, 413, "bytes"),
        ({"filename": "a\nb.csv"}, 400, "filename"),
        ({"filename": ""}, 400, "filename"),
        ({"filename": "a" * 256}, 400, "filename"),
        ({"purpose": "vision"}, 400, "purpose"),
        ({"mime_type": ""}, 400, "mime_type"),
        ({"colour": "red"}, 400, "colour"),
        ({"expires_after": {"anchor": "created_at", "seconds": 60}}, 400, "expires_after.seconds"),
        ({"expires_after": {"seconds": 3600}}, 400, "expires_after.anchor"),
    ],
)
def test_announcements_that_are_refused(
    http: TestClient, fields: dict[str, Any], status: int, param: str
) -> None:
    body = {
        "bytes": 10,
        "filename": "a.csv",
        "mime_type": "text/csv",
        "purpose": "fine-tune",
        **fields,
    }
    answer = http.post(UPLOADS, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_parts_that_are_refused(http: TestClient, settings: Settings) -> None:
    upload = announce(http, 10)
    parts = f"{UPLOADS}/{upload['id']}/parts"
    assert refusal(http.post(parts, files={"data": b"x" * 11})) == (
        413,
        "payload_too_large",
        "data",
    )
    assert refusal(http.post(parts, files={"data": b""})) == (400, "invalid_value", "data")
    assert refusal(http.post(parts, files={"data": b"abc", "more": b"abc"})) == (
        400,
        "invalid_request",
        "more",
    )
    assert refusal(http.post(parts)) == (400, "invalid_request", "data")
    assert refusal(http.post(parts, data={"data": "no file"})) == (400, "invalid_request", "data")
    assert (
        http.post(parts, files={"data": b"x" * (settings.max_upload_bytes + 100_000)}).status_code
        == 413
    )
    for _ in range(MOST_STORED):
        send(http, upload["id"], b"x" * 10)
    assert refusal(http.post(parts, files={"data": b"x"})) == (400, "invalid_value", "data")
    assert len(in_storage(settings, upload["id"])) == MOST_STORED


def test_an_upload_that_nobody_announced(http: TestClient) -> None:
    unknown = (404, "upload_not_found", "upload_id")
    assert refusal(http.post(f"{UPLOADS}/upload_none/parts", files={"data": b"abc"})) == unknown
    assert refusal(complete(http, "upload_none", ["part_a"])) == unknown
    assert refusal(http.post(f"{UPLOADS}/upload_none/cancel")) == unknown
