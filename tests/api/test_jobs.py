"""Creating jobs over HTTP: the resolved recipe, its reasons, and the hosted API's fields."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.make import review_csv

JOBS = "/v1/fine_tuning/jobs"
GIVEN = {"reinit_layers": 1, "max_steps": 40, "learning_rate": 6.4e-4}
"""A recipe without automatic settings, which needs no pilots."""


def create(http: TestClient, file_id: str, **request: Any) -> Any:
    return http.post(JOBS, json={"training_file": file_id, "model": "tiny-bert", **request})


def test_the_recipe_is_resolved_and_stored_with_its_reasons(http: TestClient, file_id: str) -> None:
    job = create(http, file_id, metadata={"team": "films"}, seed=5, recipe=GIVEN).json()
    recipe = job["resolved_recipe"]
    assert (recipe["preset"], recipe["bias_correction"], recipe["reinit_pooler"]) == (
        "stabilized",
        True,
        True,
    )
    assert GIVEN.items() <= recipe.items()
    head = {"pooling", "pair_encoding", "head_first"}  # automatic in the preset
    assert set(job["recipe_notes"]) == head | {"precision"}
    assert job["recipe_notes"]["precision"].startswith(f"{recipe['precision']}: ")
    assert job["recipe"] == GIVEN
    assert (job["pilots"], job["early_discard"]) == (None, None)
    assert job["dataset"]["rows"] == {"train": 32, "validation": 8, "test": 0}
    assert job["seed"] == 5
    assert job["runs_summary"]["total"] == 5
    codes = [warning["code"] for warning in job["warnings"]]
    assert codes == ["small_validation_set", "checkpoint_chosen_on_same_rows"]
    assert http.get(f"{JOBS}/{job['id']}").json()["resolved_recipe"] == recipe
    runs = http.get(f"{JOBS}/{job['id']}/runs").json()
    assert [run["seed"] for run in runs["data"]] == [5, 6, 7, 8, 9]
    assert (runs["first_id"], runs["has_more"]) == (runs["data"][0]["id"], False)
    first_run = http.get(f"{JOBS}/{job['id']}/runs/{runs['first_id']}").json()
    assert first_run == runs["data"][0] | {"evidence": None}


def test_a_requested_precision_is_used_or_refused(http: TestClient, file_id: str) -> None:
    for precision in ("float32", "bfloat16"):
        job = create(http, file_id, recipe=GIVEN | {"precision": precision}).json()
        assert job["resolved_recipe"]["precision"] == precision
        assert "precision" not in job["recipe_notes"]
    refused = create(http, file_id, recipe=GIVEN | {"precision": "float16"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "recipe.precision")


def test_the_conventional_recipe_is_the_2019_control(http: TestClient, file_id: str) -> None:
    recipe = create(http, file_id, recipe={"preset": "conventional"}).json()["resolved_recipe"]
    assert (recipe["bias_correction"], recipe["reinit_layers"], recipe["reinit_pooler"]) == (
        False,
        0,
        False,
    )
    assert (recipe["num_train_epochs"], recipe["max_steps"]) == (3.0, 3)


def test_the_rule_of_the_learning_rate_is_the_same_under_every_preset(
    http: TestClient, file_id: str
) -> None:
    presets = ("stabilized", "conventional", "debiased", "reinit", "longer")
    jobs = [create(http, file_id, recipe={"preset": name}).json() for name in presets]
    recipes = [job["resolved_recipe"] or job["pilots"]["rule"] for job in jobs]
    [rate] = {recipe["learning_rate"] for recipe in recipes}
    assert rate == pytest.approx(2e-5 * 1024 / 32, rel=0.01)
    searched = [job["recipe"]["preset"] for job in jobs if has_searched_rate(job)]
    assert searched == ["stabilized"]
    asked = create(http, file_id, recipe={"preset": "conventional", "learning_rate": "auto"}).json()
    assert asked["pilots"]["automatic"] == ["learning_rate"]


def has_searched_rate(job: dict[str, Any]) -> bool:
    return job["pilots"] is not None and "learning_rate" in job["pilots"]["automatic"]


def test_an_unsupported_setting_is_refused_if_requested_and_dropped_from_a_preset(
    http: TestClient, file_id: str
) -> None:
    refused = create(http, file_id, model="tiny-roberta", recipe={"reinit_pooler": True})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "recipe.reinit_pooler"
    assert "no pre-trained pooler" in refused.json()["error"]["message"]
    job = create(http, file_id, model="tiny-roberta", recipe=GIVEN).json()
    assert job["resolved_recipe"]["reinit_pooler"] is False
    assert "no pre-trained pooler" in job["recipe_notes"]["reinit_pooler"]


@pytest.mark.parametrize("where", ["hyperparameters", "method"])
def test_the_hosted_hyperparameters_set_the_recipe(
    http: TestClient, file_id: str, where: str
) -> None:
    given = {"n_epochs": 4, "batch_size": 8, "learning_rate_multiplier": 0.5}
    wrapped = (
        given
        if where == "hyperparameters"
        else {"type": "supervised", "supervised": {"hyperparameters": given}}
    )
    given_depth = {"reinit_layers": 1}
    job = create(http, file_id, recipe=given_depth, **{where: wrapped}).json()
    plain = create(http, file_id, recipe=GIVEN).json()
    assert job["resolved_recipe"]["max_steps"] == 16
    assert job["resolved_recipe"]["learning_rate"] == pytest.approx(
        plain["resolved_recipe"]["learning_rate"] / 2
    )
    assert job["hyperparameters"] == {
        "n_epochs": 4,
        "batch_size": 8,
        "learning_rate_multiplier": 0.5,
    }
    assert "n_epochs_taken_at_its_word" in [warning["code"] for warning in job["warnings"]]
    piloted = create(http, file_id, **{where: wrapped}).json()
    assert piloted["resolved_recipe"] is None
    assert piloted["hyperparameters"] == given  # as requested until the recipe is known


def test_a_file_in_use_cannot_be_deleted(http: TestClient) -> None:
    file = http.post("/v1/files", files={"file": ("r.csv", review_csv(30))}).json()
    job = create(http, file["id"]).json()
    answer = http.delete(f"/v1/files/{file['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "file_in_use")
    assert job["id"] in answer.json()["error"]["message"]


def test_the_same_idempotency_key_creates_one_job(http: TestClient, file_id: str) -> None:
    headers = {"Idempotency-Key": "once-0001"}
    request = {"training_file": file_id, "model": "tiny-bert"}
    first, second = (http.post(JOBS, json=request, headers=headers).json() for _ in range(2))
    assert first["id"] == second["id"]
    other = http.post(JOBS, json={**request, "seed": 9}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (400, "idempotency_key_reused")


def test_the_method_accepts_settings_of_a_recipe(http: TestClient, file_id: str) -> None:
    given = {"preset": "debiased", "max_steps": 12, "learning_rate_multiplier": 0.5, "mixout": 0.1}
    method = {"type": "supervised", "supervised": {"hyperparameters": given}}
    by_method = create(http, file_id, method=method).json()
    recipe = {"preset": "debiased", "max_steps": 12, "mixout": 0.1}
    by_recipe = create(
        http, file_id, recipe=recipe, hyperparameters={"learning_rate_multiplier": 0.5}
    ).json()
    assert by_method["resolved_recipe"] == by_recipe["resolved_recipe"]
    assert by_method["recipe"] == recipe
    both = create(http, file_id, method=method, recipe={"max_steps": 12, "eval_points": 3})
    assert both.json()["recipe"] == {**recipe, "eval_points": 3}
    for other, param in (
        ({"recipe": {"max_steps": 13}}, "recipe.max_steps"),
        ({"recipe": {"num_train_epochs": 2}}, "recipe"),
        (
            {"hyperparameters": {"learning_rate_multiplier": 2}},
            "hyperparameters.learning_rate_multiplier",
        ),
        ({"hyperparameters": {"n_epochs": 2}}, "recipe.max_steps"),
    ):
        answer = create(http, file_id, method=method, **other)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
