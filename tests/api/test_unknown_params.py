"""Strict requests: unknown parameters are refused, values are not converted."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.make import review_csv

JOBS = "/v1/fine_tuning/jobs"
FILES = "/v1/files"


def get_error(response: Any) -> tuple[int, str, str | None]:
    """Return (status, code, param)."""
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


@pytest.mark.parametrize(
    "path",
    [
        FILES,
        f"{FILES}/file-x",
        f"{FILES}/file-x/content",
        JOBS,
        f"{JOBS}/ftjob-x",
        f"{JOBS}/ftjob-x/events",
        f"{JOBS}/ftjob-x/runs",
        f"{JOBS}/ftjob-x/runs/ftrun-x/metrics",
        f"{JOBS}/ftjob-x/stability",
        "/v1/models",
        "/v1/models/a/b",
    ],
)
def test_an_unknown_query_parameter_is_refused_on_every_route(http: TestClient, path: str) -> None:
    assert get_error(http.get(path, params={"limt": "2"})) == (400, "invalid_request", "limt")
    assert (
        get_error(http.post(JOBS, params={"dryrun": "1"}, json={"training_file": "x"}))[2]
        == "dryrun"
    )


def test_only_the_list_of_jobs_filters_by_metadata(http: TestClient) -> None:
    assert http.get(JOBS, params={"metadata[a]": "b"}).status_code == 200
    assert get_error(http.get(FILES, params={"metadata[a]": "b"}))[2] == "metadata[a]"
    assert get_error(http.get(JOBS, params={"metadata": "b"}))[2] == "metadata"


def test_null_selects_jobs_without_metadata(http: TestClient, file_id: str) -> None:
    body = {"training_file": file_id, "model": "tiny-bert"}
    plain = http.post(JOBS, json=body).json()["id"]
    tagged = http.post(JOBS, json=body | {"metadata": {"a": "b"}}).json()["id"]
    found = [
        job["id"]
        for job in http.get(JOBS, params={"metadata": "null", "limit": 100}).json()["data"]
    ]
    assert plain in found
    assert tagged not in found
    assert (
        get_error(http.get(JOBS, params={"metadata": "null", "metadata[a]": "b"}))[2] == "metadata"
    )


@pytest.mark.parametrize(
    "key", ['a"b', "a\\b", "a.b", "a b", "$", "$.a", "[0]", "5", "ü", "💥", "a'b", "a\nb", "%"]
)
def test_jobs_are_found_by_any_metadata_key(http: TestClient, file_id: str, key: str) -> None:
    body = {
        "training_file": file_id,
        "model": "tiny-bert",
        "metadata": {key: "odd", "other": "odder"},
    }
    job_id = http.post(JOBS, json=body).json()["id"]
    assert [
        job["id"] for job in http.get(JOBS, params={f"metadata[{key}]": "odd"}).json()["data"]
    ] == [job_id]
    assert http.get(JOBS, params={f"metadata[{key}]": "odder"}).json()["data"] == []


def test_an_unknown_or_repeated_form_field_is_refused(http: TestClient) -> None:
    file = ("file", ("a.csv", review_csv(20)))
    before = http.get(FILES).json()["data"]
    assert get_error(http.post(FILES, files=[file], data={"purpos": "evals"})) == (
        400,
        "invalid_request",
        "purpos",
    )
    assert get_error(http.post(FILES, files=[file, file])) == (400, "invalid_request", "file")
    assert http.get(FILES).json()["data"] == before


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"seed": "5"}, "seed"),
        ({"seed": True}, "seed"),
        ({"runs": {"num_seeds": True}}, "runs.num_seeds"),
        ({"runs": {"seeds": ["1"]}}, "runs.seeds.0"),
        ({"task": {"label_column": True}}, "task.label_column"),
        ({"task": {"header": 1}}, "task.header"),
        ({"split": {"test_fraction": "0.1"}}, "split.test_fraction"),
        ({"recipe": {"bias_correction": "yes"}}, "recipe.bias_correction"),
        ({"recipe": {"max_steps": True}}, "recipe.max_steps"),
        ({"recipe": {"learning_rate": "1e-4"}}, "recipe.learning_rate"),
        ({"hyperparameters": {"n_epochs": "3"}}, "hyperparameters.n_epochs"),
    ],
    ids=str,
)
def test_a_value_of_another_type_is_not_converted(
    http: TestClient, file_id: str, request_: dict[str, Any], param: str
) -> None:
    response = http.post(JOBS, json={"training_file": file_id, "model": "tiny-bert", **request_})
    assert get_error(response) == (400, "invalid_request", param)


def test_whole_numbers_are_accepted_as_floats_and_types_by_name(
    http: TestClient, file_id: str
) -> None:
    body = {
        "training_file": file_id,
        "model": "tiny-bert",
        "recipe": {"max_grad_norm": 1, "num_train_epochs": 2, "reinit_layers": 1},
        "split": {"test_fraction": 0},
        "task": {"type": "single_label_classification", "label_column": 1, "text_column": 0},
        "suffix": "My first model",
    }
    job = http.post(JOBS, json=body).json()
    assert (job["resolved_recipe"]["num_train_epochs"], job["suffix"]) == (2.0, "My first model")


@pytest.mark.parametrize("suffix", ["", " a", "a/b", "a:b", "x" * 65, "ü"])
def test_an_unusable_suffix_is_refused(http: TestClient, file_id: str, suffix: str) -> None:
    response = http.post(JOBS, json={"training_file": file_id, "suffix": suffix})
    assert get_error(response) == (400, "invalid_request", "suffix")
    assert "1 to 64 letters" in response.json()["error"]["message"]
