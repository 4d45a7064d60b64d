"""An error of an unknown name says which known one was probably meant."""

from collections.abc import Mapping

import pytest
from fastapi.testclient import TestClient

JOBS = "/v1/fine_tuning/jobs"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"recipe": {"lerning_rate": 1}},
            "Unknown field recipe.lerning_rate. Did you mean recipe.learning_rate?",
        ),
        ({"modle": "a"}, "Unknown field modle. Did you mean model?"),
        (
            {"webhook": {"url": "http://a", "secret": "s" * 32, "secrt": "a"}},
            "Did you mean webhook.secret?",
        ),
        ({"num_seeds": 3}, "Did you mean runs.num_seeds?"),
        ({"zzzqq": 3}, "The API's reference, at /docs, lists the known fields."),
    ],
)
def test_fields(http: TestClient, body: Mapping[str, object], message: str) -> None:
    answer = http.post(JOBS, json={"training_file": "file-1", "model": "m", **body})
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("limt", "Did you mean limit?"), ("qqq", "has the query parameters after,")],
)
def test_query_parameters(http: TestClient, name: str, message: str) -> None:
    answer = http.get(JOBS, params={name: "1"})
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize("url", ["ftp://x", "", "x", f"ftp://{'x' * 3000}"])
def test_a_webhook_is_refused_for_its_scheme_first(http: TestClient, url: str) -> None:
    webhook = {"url": url, "secret": "s" * 32}
    answer = http.post(JOBS, json={"training_file": "file-1", "model": "m", "webhook": webhook})
    assert answer.status_code == 400
    assert "webhook.url: give an http or https URL" in answer.json()["error"]["message"]
