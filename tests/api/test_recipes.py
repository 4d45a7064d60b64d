"""The presets over HTTP: each resolved as for a job of that preset."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

RECIPES = "/v1/fine_tuning/recipes"
JOBS = "/v1/fine_tuning/jobs"


def test_every_preset_is_listed_with_a_value_for_everything(http: TestClient) -> None:
    listed = http.get(RECIPES).json()
    names = [recipe["id"] for recipe in listed["data"]]
    assert names[:2] == ["stabilized", "conventional"]
    assert len(names) == 8
    assert (listed["object"], listed["has_more"]) == ("list", False)
    for recipe in listed["data"]:
        assert recipe == http.get(f"{RECIPES}/{recipe['id']}").json()
        assert recipe["resolved_recipe"]["preset"] == recipe["id"]
        assert None not in [
            value for name, value in recipe["resolved_recipe"].items() if name != "num_train_epochs"
        ]


@pytest.mark.parametrize("preset", ["stabilized", "conventional", "llrd"])
def test_a_job_gets_the_recipe_that_was_shown(http: TestClient, file_id: str, preset: str) -> None:
    request = {"training_file": file_id, "model": "tiny-bert", "recipe": {"preset": preset}}
    dry = http.post(JOBS, params={"dry_run": "1"}, json=request).json()
    query: dict[str, str | int] = {
        "model": "tiny-bert",
        "train_rows": dry["dataset"]["rows"]["train"],
    }
    shown = http.get(f"{RECIPES}/{preset}", params=query).json()
    assert shown["resolved_recipe"] == (dry["resolved_recipe"] or dry["pilots"]["rule"])
    assert shown["automatic"] == (dry["pilots"] or {"automatic": []})["automatic"]


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/magic", {}, (404, "recipe_not_found", "name")),
        ("", {"model": "bert-enormous"}, (400, "model_not_allowed", "model")),
        ("", {"train_rows": 0}, (400, "invalid_request", "train_rows")),
    ],
)
def test_an_invalid_recipe_request_is_refused(
    http: TestClient, path: str, query: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    answer = http.get(f"{RECIPES}{path}", params=query)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == expected
