"""What no route reads is refused by name; numbers are numbers and truth values are truth values."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.make import review_csv

JOBS = "/v1/fine_tuning/jobs"
FILES = "/v1/files"


def refusal(answer: Any) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


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
def test_an_unknown_query_parameter_on_every_route(http: TestClient, path: str) -> None:
    assert refusal(http.get(path, params={"limt": "2"})) == (400, "invalid_request", "limt")
    assert (
        refusal(http.post(JOBS, params={"dryrun": "1"}, json={"training_file": "x"}))[2] == "dryrun"
    )


def test_metadata_is_a_parameter_of_the_list_of_jobs_alone(http: TestClient) -> None:
    assert http.get(JOBS, params={"metadata[a]": "b"}).status_code == 200
    assert refusal(http.get(FILES, params={"metadata[a]": "b"}))[2] == "metadata[a]"
    assert refusal(http.get(JOBS, params={"metadata": "b"}))[2] == "metadata"


def test_jobs_without_metadata(http: TestClient, file_id: str) -> None:
    body = {"training_file": file_id, "model": "tiny-bert"}
    bare = http.post(JOBS, json=body).json()["id"]
    tagged = http.post(JOBS, json=body | {"metadata": {"a": "b"}}).json()["id"]
    found = [
        job["id"]
        for job in http.get(JOBS, params={"metadata": "null", "limit": 100}).json()["data"]
    ]
    assert bare in found
    assert tagged not in found
    assert refusal(http.get(JOBS, params={"metadata": "null", "metadata[a]": "b"}))[2] == "metadata"


@pytest.mark.parametrize(
    "key", ['a"b', "a\\b", "a.b", "a b", "$", "$.a", "[0]", "5", "ü", "💥", "a'b", "a\nb", "%"]
)
def test_any_key_of_the_metadata_finds_its_jobs(http: TestClient, file_id: str, key: str) -> None:
    body = {
        "training_file": file_id,
        "model": "tiny-bert",
        "metadata": {key: "odd", "other": "odder"},
    }
    made = http.post(JOBS, json=body).json()["id"]
    assert [
        job["id"] for job in http.get(JOBS, params={f"metadata[{key}]": "odd"}).json()["data"]
    ] == [made]
    assert http.get(JOBS, params={f"metadata[{key}]": "odder"}).json()["data"] == []


def test_an_unknown_form_field_and_a_second_file(http: TestClient) -> None:
    file = ("file", ("a.csv", review_csv(20)))
    before = http.get(FILES).json()["data"]
    assert refusal(http.post(FILES, files=[file], data={"purpos": "evals"})) == (
        400,
        "invalid_request",
        "purpos",
    )
    assert refusal(http.post(FILES, files=[file, file])) == (400, "invalid_request", "file")
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
def test_a_value_of_another_kind_is_not_bent(
    http: TestClient, file_id: str, request_: dict[str, Any], param: str
) -> None:
    answer = http.post(JOBS, json={"training_file": file_id, "model": "tiny-bert", **request_})
    assert refusal(answer) == (400, "invalid_request", param)


def test_whole_numbers_where_fractions_are_taken_and_a_type_by_its_name(
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
def test_a_suffix_that_makes_no_name_is_refused_in_words(
    http: TestClient, file_id: str, suffix: str
) -> None:
    answer = http.post(JOBS, json={"training_file": file_id, "suffix": suffix})
    assert refusal(answer) == (400, "invalid_request", "suffix")
    assert "1 to 64 letters" in answer.json()["error"]["message"]
