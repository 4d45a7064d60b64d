"""Uploads in parts that are refused."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from shared.db.uploads import MAX_STORED_FACTOR
from shared.infra.settings import Settings
from tests.api.upload_requests import (
    UPLOADS,
    complete_upload,
    create_upload,
    get_error,
    list_stored_parts,
    send_part,
)


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
def test_an_invalid_upload_is_refused(
    http: TestClient, fields: dict[str, Any], status: int, param: str
) -> None:
    body = {
        "bytes": 10,
        "filename": "a.csv",
        "mime_type": "text/csv",
        "purpose": "fine-tune",
        **fields,
    }
    response = http.post(UPLOADS, json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (status, param)


def test_invalid_parts_are_refused(http: TestClient, settings: Settings) -> None:
    upload = create_upload(http, 10)
    parts = f"{UPLOADS}/{upload['id']}/parts"
    assert get_error(http.post(parts, files={"data": b"x" * 11})) == (
        413,
        "payload_too_large",
        "data",
    )
    assert get_error(http.post(parts, files={"data": b""})) == (400, "invalid_value", "data")
    assert get_error(http.post(parts, files={"data": b"abc", "more": b"abc"})) == (
        400,
        "invalid_request",
        "more",
    )
    assert get_error(http.post(parts)) == (400, "invalid_request", "data")
    assert get_error(http.post(parts, data={"data": "no file"})) == (400, "invalid_request", "data")
    assert (
        http.post(parts, files={"data": b"x" * (settings.max_upload_bytes + 100_000)}).status_code
        == 413
    )
    for _ in range(MAX_STORED_FACTOR):
        send_part(http, upload["id"], b"x" * 10)
    assert get_error(http.post(parts, files={"data": b"x"})) == (400, "invalid_value", "data")
    assert len(list_stored_parts(settings, upload["id"])) == MAX_STORED_FACTOR


def test_an_unknown_upload_is_not_found(http: TestClient) -> None:
    unknown = (404, "upload_not_found", "upload_id")
    assert get_error(http.post(f"{UPLOADS}/upload_none/parts", files={"data": b"abc"})) == unknown
    assert get_error(complete_upload(http, "upload_none", ["part_a"])) == unknown
    assert get_error(http.post(f"{UPLOADS}/upload_none/cancel")) == unknown
