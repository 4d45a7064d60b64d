"""Requests for uploads in parts."""

from typing import Any

from fastapi.testclient import TestClient

from shared.infra.settings import Settings
from shared.infra.storage import Storage
from tests.make import review_csv

UPLOADS = "/v1/uploads"
CONTENT = review_csv(60)
HALF = len(CONTENT) // 2


def create_upload(http: TestClient, size: int = len(CONTENT), **fields: Any) -> dict[str, Any]:
    body = {
        "bytes": size,
        "filename": "reviews.csv",
        "mime_type": "text/csv",
        "purpose": "fine-tune",
        **fields,
    }
    response = http.post(UPLOADS, json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def send_part(http: TestClient, upload_id: str, data: bytes) -> str:
    response = http.post(f"{UPLOADS}/{upload_id}/parts", files={"data": ("upload", data)})
    assert response.status_code == 200, response.text
    part = response.json()
    assert (part["object"], part["upload_id"]) == ("upload.part", upload_id)
    return str(part["id"])


def complete_upload(http: TestClient, upload_id: str, part_ids: list[str], **fields: Any) -> Any:
    return http.post(f"{UPLOADS}/{upload_id}/complete", json={"part_ids": part_ids, **fields})


def get_error(response: Any) -> tuple[int, str, str | None]:
    """Return (status, code, param)."""
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def list_stored_parts(settings: Settings, upload_id: str) -> list[str]:
    return [
        blob.key for blob in Storage(settings.resolved_storage_url).list(f"uploads/{upload_id}")
    ]
