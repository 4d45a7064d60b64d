"""Job requests that are refused: status, code, the offending field, and the message."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.test_jobs import GIVEN, create
from tests.encoders.small_folders import build_config, write_model
from tests.make import csv_bytes, review_csv

REFUSED: list[tuple[dict[str, Any], str | None, str]] = [
    ({"colour": "red"}, "colour", "invalid_request"),
    ({"recipe": {"learningrate": 1}}, "recipe.learningrate", "invalid_request"),
    ({"recipe": {"learning_rate": -1}}, "recipe.learning_rate", "invalid_request"),
    ({"recipe": {"learning_rate": "fast"}}, "recipe.learning_rate", "invalid_request"),
    ({"recipe": {"max_steps": 0}}, "recipe.max_steps", "invalid_request"),
    ({"recipe": {"max_steps": 10, "num_train_epochs": 2}}, "recipe", "invalid_request"),
    ({"recipe": {"preset": "magic"}}, "recipe.preset", "invalid_request"),
    ({"recipe": {"reinit_layers": 4}}, "recipe.reinit_layers", "invalid_value"),
    (
        {"recipe": {"num_train_epochs": 2}, "hyperparameters": {"n_epochs": 3}},
        "recipe.num_train_epochs",
        "invalid_value",
    ),
    ({"runs": {"num_seeds": 0}}, "runs.num_seeds", "invalid_request"),
    ({"runs": {"num_seeds": 10**9}}, "runs.num_seeds", "invalid_request"),
    ({"runs": {"seeds": [1, 1]}}, "runs", "invalid_request"),
    ({"runs": {"seeds": [1], "num_seeds": 1}}, "runs", "invalid_request"),
    ({"runs": {"init_seeds": [1, 2]}}, "runs", "invalid_request"),
    ({"runs": {"init_seeds": [1], "data_seeds": [1], "num_seeds": 2}}, "runs", "invalid_request"),
    ({"runs": {"num_seeds": 101, "data_seeds": [1, 2]}}, "runs", "invalid_value"),
    ({"early_discard": {"start": 4, "keep": 4}}, "early_discard", "invalid_request"),
    (
        {"early_discard": {"start": 4, "keep": 2, "at_fraction": 0.95}},
        "early_discard.at_fraction",
        "invalid_request",
    ),
    ({"early_discard": {"start": 4, "keep": 2}, "runs": {"num_seeds": 4}}, None, "invalid_request"),
    (
        {"early_discard": {"start": 4, "keep": 2}, "recipe": {**GIVEN, "max_steps": 1}},
        "early_discard",
        "invalid_value",
    ),
    ({"model": "ft:tiny-bert:local::00000000"}, "model", "model_not_allowed"),
    ({"seed": -1}, "seed", "invalid_request"),
    ({"seed": 2**31 - 1}, "seed", "invalid_value"),
    ({"seed": "one"}, "seed", "invalid_request"),
    ({"model": "../../etc/passwd"}, "model", "model_not_allowed"),
    ({"model": "http://127.0.0.1/x"}, "model", "model_not_allowed"),
    ({"model": "bert-enormous"}, "model", "model_not_allowed"),
    ({"suffix": "a b/c"}, "suffix", "invalid_request"),
    ({"metadata": {"k": "v" * 513}}, "metadata.k", "invalid_request"),
    ({"task": {"text_column": "nope"}}, "task.text_column", "invalid_value"),
    ({"task": {"label_column": 17}}, "task.label_column", "invalid_value"),
    ({"task": {"max_seq_length": 100_000}}, "task.max_seq_length", "invalid_request"),
    ({"task": {"max_seq_length": 4096}}, "task.max_seq_length", "invalid_value"),
    ({"task": {"type": "regression"}}, "task.label_column", "invalid_value"),
    ({"evaluation": {"metric": "pearson"}}, "evaluation.metric", "invalid_value"),
    (
        {"recipe": {"class_weights": {"good": 2.0, "bed": 1.0}}},
        "recipe.class_weights",
        "invalid_value",
    ),
    ({"recipe": {"class_weights": {"good": 0.0}}}, "recipe.class_weights.good", "invalid_request"),
    ({"split": {"k": 5}}, "split.k", "invalid_value"),
    ({"split": {"mode": "kfold", "k": 1}}, "split.k", "invalid_request"),
    (
        {"split": {"mode": "kfold", "validation_fraction": 0.2}},
        "split.validation_fraction",
        "invalid_value",
    ),
    (
        {"split": {"mode": "kfold", "halve_validation": True}},
        "split.halve_validation",
        "invalid_value",
    ),
    (
        {"split": {"halve_validation": True, "test_fraction": 0.2}},
        "split.halve_validation",
        "invalid_value",
    ),
    ({"split": {"group_by": "author"}}, "split.group_by", "invalid_value"),
    ({"split": {"group_by": 7}}, "split.group_by", "invalid_value"),
    ({"split": {"validation_fraction": 0.9}}, "split.validation_fraction", "invalid_request"),
    ({"evaluation": {"metric": "bleu"}}, "evaluation.metric", "invalid_request"),
    ({"hyperparameters": {"n_epochs": 51}}, "hyperparameters.n_epochs", "invalid_request"),
    ({"method": {"type": "dpo"}}, "method.type", "invalid_request"),
]


@pytest.mark.parametrize(("request_", "param", "code"), REFUSED, ids=lambda value: str(value)[:50])
def test_an_invalid_request_names_the_field(
    http: TestClient, file_id: str, request_: dict[str, Any], param: str | None, code: str
) -> None:
    answer = create(http, file_id, **request_)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"].endswith((".", "?"))


def test_a_job_of_an_unfit_model_is_refused_before_anything_is_queued(
    http: TestClient, file_id: str, model_dir: Path
) -> None:
    folder = write_model(model_dir / "unfit")
    try:
        (folder / "config.json").write_text(json.dumps(build_config(hidden_size=10**9)))
        answer = create(http, file_id, model="unfit", metadata={"about": "unfit"})
        assert "unfit" not in {model["id"] for model in http.get("/v1/models").json()["data"]}
    finally:
        shutil.rmtree(folder)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (
        400,
        "model_not_allowed",
        "model",
    )
    assert error["message"] == (
        "unfit has an impossible config.json: hidden_size must be at most 32,768. "
        "Copy the config.json of the original model."
    )
    jobs = http.get("/v1/fine_tuning/jobs", params={"metadata[about]": "unfit"}).json()["data"]
    assert jobs == []


def test_an_unknown_file_is_not_found(http: TestClient, file_id: str) -> None:
    for request, param in (
        ({"training_file": "file-none"}, "training_file"),
        ({"validation_file": "file-none"}, "validation_file"),
        ({"test_file": "file-none"}, "test_file"),
    ):
        answer = create(http, file_id, **request)
        assert (answer.status_code, answer.json()["error"]["param"]) == (404, param)


def test_a_validation_file_with_an_unknown_label_is_refused(http: TestClient, file_id: str) -> None:
    other = http.post(
        "/v1/files",
        files={"file": ("v.csv", csv_bytes([("a text", "good"), ("another", "so-so")]))},
    ).json()
    answer = create(http, file_id, validation_file=other["id"])
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "validation_file")
    assert "Row 2" in answer.json()["error"]["message"]


def test_a_file_with_broken_rows_is_refused_with_its_first_error(http: TestClient) -> None:
    content = review_csv(20) + b"too,many,cells\r\n"
    file = http.post("/v1/files", files={"file": ("broken.csv", content)}).json()
    assert file["status"] == "processed"
    assert file["profile"]["valid"] is False
    answer = create(http, file["id"])
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "training_file")
    assert "row 21" in answer.json()["error"]["message"]
