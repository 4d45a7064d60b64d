"""A job's webhook over HTTP: accepted and refused values, the hidden secret, the deliveries."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

JOBS = "/v1/fine_tuning/jobs"
SECRET = "whsec_c2l4dGVlbiBieXRlcyBvciBtb3Jl"
HOOK = {"url": "https://example.org/hook?a=1", "secret": SECRET}


def create(http: TestClient, file_id: str, webhook: Any) -> Any:
    return http.post(
        JOBS, json={"training_file": file_id, "model": "tiny-bert", "webhook": webhook}
    )


def test_deliveries_are_listed_and_the_secret_is_never_returned(
    http: TestClient, file_id: str
) -> None:
    job = create(http, file_id, HOOK).json()
    assert job["webhook"] == {"host": "example.org"}
    path = f"{JOBS}/{job['id']}"
    assert http.get(f"{path}/webhook_deliveries").json()["data"] == []
    cloned = http.post(f"{path}/clone").json()
    assert cloned["webhook"] == {"host": "example.org"}
    ended = http.post(f"{path}/cancel")
    [delivery] = http.get(f"{path}/webhook_deliveries").json()["data"]
    assert (delivery["type"], delivery["status"], delivery["attempts"]) == (
        "fine_tuning.job.cancelled",
        "pending",
        0,
    )
    for answer in (ended, http.get(path), http.get(JOBS), http.get(f"{path}/webhook_deliveries")):
        assert SECRET not in answer.text
        assert "/hook" not in answer.text
    assert http.get(f"{JOBS}/ftjob-none/webhook_deliveries").status_code == 404


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"url": "ftp://example.org/x"}, "webhook.url"),
        ({"url": "https:///x"}, "webhook.url"),
        ({"url": "https://a b.org"}, "webhook.url"),
        ({"url": "https://example.org:99999/"}, "webhook.url"),
        ({"url": "https://me:pass@example.org/"}, "webhook.url"),
        ({"url": "http://127.0.0.1:6379/"}, "webhook.url"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "webhook.url"),
        ({"url": "http://localhost/"}, "webhook.url"),
        ({"url": "http://localhost./"}, "webhook.url"),
        ({"url": "http://LocalHost:8080/"}, "webhook.url"),
        ({"url": "http://a.localhost/"}, "webhook.url"),
        ({"url": "http://redis:6379/"}, "webhook.url"),
        ({"url": "http://printer.local/"}, "webhook.url"),
        ({"url": "http://metadata.google.internal/"}, "webhook.url"),
        ({"url": "http://2130706433/"}, "webhook.url"),
        ({"url": "http://0x7f000001/"}, "webhook.url"),
        ({"url": "http://0x7f.1/"}, "webhook.url"),
        ({"url": "http://0177.0.0.1/"}, "webhook.url"),
        ({"url": "http://127.1/"}, "webhook.url"),
        ({"url": "http://127.0.0.1./"}, "webhook.url"),
        ({"url": "http://1.2.3.4.5/"}, "webhook.url"),
        ({"url": "http://a.0x7f/"}, "webhook.url"),
        ({"url": "http://%31%32%37.0.0.1/"}, "webhook.url"),
        ({"url": "http://\u0661\u0662\u0667.0.0.1/"}, "webhook.url"),
        ({"url": "http://127\u30020\u30020\u30021/"}, "webhook.url"),
        ({"url": "http://example.org\\@127.0.0.1/"}, "webhook.url"),
        ({"url": "http://[::1]/"}, "webhook.url"),
        ({"url": "http://[::127.0.0.1]/"}, "webhook.url"),
        ({"url": "http://[64:ff9b:1::7f00:1]/"}, "webhook.url"),
        ({"url": "http://[fe80::1%25eth0]/"}, "webhook.url"),
        ({"url": "http://168.63.129.16/"}, "webhook.url"),
        ({"secret": "short"}, "webhook.secret"),
        ({"secret": "whsec_not base64 at all!"}, "webhook.secret"),
        ({"secret": "whsec_c2hvcnQ="}, "webhook.secret"),
        ({"events": []}, "webhook.events"),
    ],
)
def test_an_invalid_webhook_is_refused(
    http: TestClient, file_id: str, changes: dict[str, Any], param: str
) -> None:
    answer = create(http, file_id, HOOK | changes)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert "pass" not in error["message"].split()
