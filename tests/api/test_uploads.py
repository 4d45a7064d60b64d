"""Uploads in parts: completion, cancellation, expiry."""

import gzip
import hashlib
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from random import Random

import hypothesis
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from shared.db.references import collect_references
from shared.db.session import Database
from shared.db.tables import Upload
from shared.infra.broker import JobQueue
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from tests.api.upload_requests import (
    CONTENT,
    HALF,
    UPLOADS,
    complete_upload,
    create_upload,
    get_error,
    list_stored_parts,
    send_part,
)
from worker.maintenance.sweeper import Sweeper


def test_parts_become_a_file_in_the_given_order(http: TestClient, settings: Settings) -> None:
    upload = create_upload(http)
    assert (upload["object"], upload["status"], upload["file"]) == ("upload", "pending", None)
    assert upload["expires_at"] == upload["created_at"] + 3600
    second, first = (
        send_part(http, upload["id"], CONTENT[HALF:]),
        send_part(http, upload["id"], CONTENT[:HALF]),
    )
    assert len(list_stored_parts(settings, upload["id"])) == 2
    response = complete_upload(
        http, upload["id"], [first, second], md5=hashlib.md5(CONTENT).hexdigest()
    )
    completed = response.json()
    assert (response.status_code, completed["status"], completed["bytes"]) == (
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
    assert list_stored_parts(settings, upload["id"]) == []


@hypothesis.settings(deadline=None, max_examples=8)
@given(
    cuts=st.lists(st.integers(1, len(CONTENT) - 1), unique=True, max_size=6), random=st.randoms()
)
def test_parts_may_be_sent_in_any_order(http: TestClient, cuts: list[int], random: Random) -> None:
    pieces = list(pairwise([0, *sorted(cuts), len(CONTENT)]))
    upload = create_upload(http)
    sent = {
        piece: send_part(http, upload["id"], CONTENT[slice(*piece)])
        for piece in random.sample(pieces, len(pieces))
    }
    file = complete_upload(http, upload["id"], [sent[piece] for piece in pieces]).json()["file"]
    assert file["sha256"] == hashlib.sha256(CONTENT).hexdigest()


def test_completing_again_returns_the_same_file(http: TestClient) -> None:
    upload = create_upload(http)
    parts = [
        send_part(http, upload["id"], CONTENT[:HALF]),
        send_part(http, upload["id"], CONTENT[HALF:]),
    ]
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(lambda _: complete_upload(http, upload["id"], parts), range(4)))
    assert [response.status_code for response in responses] == [200] * 4
    assert len({response.json()["file"]["id"] for response in responses}) == 1
    assert get_error(complete_upload(http, upload["id"], parts[::-1])) == (
        400,
        "upload_not_pending",
        "upload_id",
    )
    http.delete(f"/v1/files/{responses[0].json()['file']['id']}")
    assert complete_upload(http, upload["id"], parts).json()["file"] is None


def test_the_file_expires_after_the_requested_time(http: TestClient) -> None:
    upload = create_upload(http, expires_after={"anchor": "created_at", "seconds": 7200})
    file = complete_upload(http, upload["id"], [send_part(http, upload["id"], CONTENT)]).json()[
        "file"
    ]
    assert file["expires_at"] == file["created_at"] + 7200


def test_an_invalid_completion_leaves_the_upload_pending(http: TestClient) -> None:
    upload = create_upload(http)
    other = create_upload(http)
    first, second, more = (
        send_part(http, upload["id"], data) for data in (CONTENT[:HALF], CONTENT[HALF:], b"x")
    )
    foreign = send_part(http, other["id"], CONTENT[HALF:])
    for part_ids in (
        [first],
        [first, second, more],
        [first, first],
        [first, foreign],
        [first, "part_none"],
    ):
        assert get_error(complete_upload(http, upload["id"], part_ids)) == (
            400,
            "invalid_value",
            "part_ids",
        )
    assert get_error(complete_upload(http, upload["id"], [])) == (
        400,
        "invalid_request",
        "part_ids",
    )
    wrong = complete_upload(
        http, upload["id"], [second, first], md5=hashlib.md5(CONTENT).hexdigest()
    )
    assert get_error(wrong) == (400, "invalid_value", "md5")
    assert get_error(complete_upload(http, upload["id"], [first, second], md5="x")) == (
        400,
        "invalid_request",
        "md5",
    )
    assert complete_upload(http, upload["id"], [first, second]).json()["status"] == "completed"


def test_a_file_that_is_not_a_table_is_refused(http: TestClient) -> None:
    before = http.get("/v1/files").json()["data"]
    for content, expected in [
        (b"\xff\xfea", (422, "encoding_not_utf8", "file")),
        (b"PK\x03\x04 and more", (415, "unsupported_media_type", "file")),
        (b"text,label\n", (422, "empty_file", "file")),
    ]:
        upload = create_upload(http, len(content))
        part = send_part(http, upload["id"], content)
        assert get_error(complete_upload(http, upload["id"], [part])) == expected
        assert http.post(f"{UPLOADS}/{upload['id']}/cancel").json()["status"] == "cancelled"
    assert http.get("/v1/files").json()["data"] == before


def test_a_gzip_file_can_be_sent_in_parts(http: TestClient) -> None:
    packed = gzip.compress(CONTENT)
    upload = create_upload(http, len(packed), filename="reviews.csv.gz")
    parts = [
        send_part(http, upload["id"], packed[start : start + 100])
        for start in range(0, len(packed), 100)
    ]
    file = complete_upload(http, upload["id"], parts).json()["file"]
    assert (file["profile"]["rows"], file["profile"]["compression"]) == (60, "gzip")


def test_a_cancelled_upload_accepts_nothing(http: TestClient, settings: Settings) -> None:
    upload = create_upload(http)
    part = send_part(http, upload["id"], CONTENT)
    for _ in range(2):  # a client that lost the response retries
        response = http.post(f"{UPLOADS}/{upload['id']}/cancel")
        assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert list_stored_parts(settings, upload["id"]) == []
    not_pending = (400, "upload_not_pending", "upload_id")
    assert (
        get_error(http.post(f"{UPLOADS}/{upload['id']}/parts", files={"data": b"abc"}))
        == not_pending
    )
    assert get_error(complete_upload(http, upload["id"], [part])) == not_pending
    completed = create_upload(http)
    complete_upload(http, completed["id"], [send_part(http, completed["id"], CONTENT)])
    assert get_error(http.post(f"{UPLOADS}/{completed['id']}/cancel")) == not_pending


def test_an_expired_upload_is_removed_with_its_parts(
    http: TestClient, settings: Settings, database: Database
) -> None:
    upload, pending = create_upload(http), create_upload(http)
    part = send_part(http, upload["id"], CONTENT)
    kept = send_part(http, pending["id"], CONTENT)
    with database.write() as session:
        session.execute(
            update(Upload).where(Upload.id == upload["id"]).values(expires_at=Upload.created_at - 1)
        )
    not_pending = (400, "upload_not_pending", "upload_id")
    assert get_error(complete_upload(http, upload["id"], [part])) == not_pending
    with database.read() as session:
        assert {f"uploads/{upload['id']}", f"uploads/{pending['id']}"} <= collect_references(
            session
        ).prefixes
    job_queue, storage = JobQueue(settings.redis_url), Storage(settings.resolved_storage_url)
    Sweeper(settings, database, job_queue, storage).sweep()
    job_queue.close()
    assert list_stored_parts(settings, upload["id"]) == []
    assert list_stored_parts(settings, pending["id"]) == [f"uploads/{pending['id']}/{kept}"]
    assert (
        get_error(http.post(f"{UPLOADS}/{upload['id']}/parts", files={"data": b"abc"}))
        == not_pending
    )
    with database.read() as session:
        assert session.get_one(Upload, upload["id"]).status == "expired"
        assert f"uploads/{upload['id']}" not in collect_references(session).prefixes
