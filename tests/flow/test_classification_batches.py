"""Classification of whole files over HTTP."""

import csv
import io
from typing import Any

import pytest

from tests.flow.classifications import (
    TEXTS,
)
from tests.make import csv_bytes, review_csv
from tests.stack import Stack


def test_an_input_file_becomes_an_output_file(shared_stack: Stack, job: dict[str, Any]) -> None:
    name = job["fine_tuned_model"]
    texts = [TEXTS[index % 3] for index in range(1003)]  # more than one chunk
    file = shared_stack.upload(
        csv_bytes([(text, "x") for text in texts], ("text", "comment")), "new.csv"
    )
    for ensemble in (False, True):
        answer = shared_stack.http.post(
            "/v1/classifications/batches",
            json={"model": name, "input_file": file["id"], "ensemble": ensemble},
        )
        assert answer.status_code == 200, answer.text
        batch = answer.json()
        assert batch["request_counts"] == {"total": 1003, "completed": 1003, "failed": 0}
        assert (
            shared_stack.get(f"/v1/files/{batch['output_file_id']}")["purpose"]
            == "fine-tune-results"
        )
        content = shared_stack.http.get(f"/v1/files/{batch['output_file_id']}/content").text
        rows = list(csv.DictReader(io.StringIO(content)))
        assert [int(row["row"]) for row in rows] == list(range(1, 1004))
        alone = shared_stack.classify(model=name, input=TEXTS, ensemble=ensemble)["results"]
        for row, result in zip(
            rows, [alone[index % 3]["label"] for index in range(1003)], strict=True
        ):
            assert row["predicted"] == result["predicted"]
            assert bool(int(row["truncated"])) == result["truncated"]
            found = {label: float(row[f"p({label})"]) for label in ("bad", "good")}
            assert found == pytest.approx(result["scores"], abs=1e-5)
            assert ("vote_entropy" in row) == ensemble


def test_unsuitable_files_are_refused(shared_stack: Stack, job: dict[str, Any]) -> None:
    def get_batch_refusal(content: bytes, **request: Any) -> tuple[int, str, str | None]:
        body = {
            "model": job["fine_tuned_model"],
            "input_file": shared_stack.upload(content)["id"],
            **request,
        }
        answer = shared_stack.http.post("/v1/classifications/batches", json=body)
        error = answer.json()["error"]
        return answer.status_code, error["code"], error["param"]

    rows = review_csv(10)
    assert get_batch_refusal(rows, input_file="file-none") == (404, "file_not_found", "input_file")
    assert get_batch_refusal(rows, model="ft:none") == (404, "model_not_found", "model")
    assert get_batch_refusal(rows, text_column="sentence") == (400, "invalid_value", "text_column")
    assert get_batch_refusal(rows, text_pair_column="label") == (
        400,
        "invalid_value",
        "text_pair_column",
    )
    assert get_batch_refusal(csv_bytes([("a", "b"), ("", "c")])) == (
        400,
        "invalid_value",
        "text_column",
    )
    assert get_batch_refusal(csv_bytes([("a", "b")] * 20_001)) == (
        400,
        "invalid_value",
        "input_file",
    )
    assert get_batch_refusal(rows, ensemble=True, colour="red") == (
        400,
        "invalid_request",
        "colour",
    )
