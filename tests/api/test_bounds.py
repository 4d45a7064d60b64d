"""Values at and beyond the bounds of a job: a 400 that names the field, never a 500."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from shared.db.session import Database
from shared.db.tables import Job
from shared.domain.task import ForeignSplit
from shared.recipe.value import ForeignRecipe
from tests.make import review_csv

JOBS = "/v1/fine_tuning/jobs"


def create_job(http: TestClient, file_id: str, **request: Any) -> Any:
    return http.post(JOBS, json={"training_file": file_id, "model": "tiny-bert", **request})


def get_error(response: Any) -> tuple[int, str, str | None]:
    """Return (status, code, param)."""
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


MULTIPLIER = "hyperparameters.learning_rate_multiplier"


@pytest.mark.parametrize(
    ("multiplier", "rate", "expected"),
    [
        (1e-320, "auto", (400, "invalid_request", MULTIPLIER)),
        (99e-6, "auto", (400, "invalid_request", MULTIPLIER)),
        (100, 1e-3, (400, "invalid_value", MULTIPLIER)),
        (1e-4, 5e-324, (400, "invalid_value", MULTIPLIER)),  # comes to zero
    ],
)
def test_a_learning_rate_out_of_bounds_is_refused(
    http: TestClient, file_id: str, multiplier: float, rate: Any, expected: tuple[int, str, str]
) -> None:
    hyperparameters = {"learning_rate_multiplier": multiplier}
    response = create_job(
        http, file_id, hyperparameters=hyperparameters, recipe={"learning_rate": rate}
    )
    assert get_error(response) == expected
    assert http.get(JOBS).status_code == 200


def test_a_stored_job_of_another_version_is_shown_unchanged(
    http: TestClient, file_id: str, database: Database
) -> None:
    job = create_job(http, file_id, recipe={"preset": "debiased"}).json()
    recipe = {**job["resolved_recipe"], "version": 0, "learning_rate": 0.0, "momentum": 0.9}
    with database.write() as session:
        split = {"validation_fraction": 0.9, "fold": 3}
        session.execute(
            update(Job)
            .where(Job.id == job["id"])
            .values(
                resolved_recipe=ForeignRecipe.model_validate(recipe),
                split=ForeignSplit.model_validate(split),
            )
        )
    shown = http.get(f"{JOBS}/{job['id']}").json()
    assert (shown["resolved_recipe"], shown["split"], shown["task"]) == (recipe, split, job["task"])
    assert http.get(JOBS, params={"limit": 1}).json()["data"][0]["resolved_recipe"] == recipe


def test_more_than_the_maximum_steps_are_refused(http: TestClient) -> None:
    file = http.post("/v1/files", files={"file": ("many.csv", review_csv(1300))}).json()
    response = create_job(
        http, file["id"], recipe={"num_train_epochs": 1000, "train_batch_size": 1}
    )
    assert get_error(response) == (400, "invalid_value", "recipe.num_train_epochs")
    assert "1,000,000" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "after",
    ["ftevent-" + "f" * 22, "ftevent-" + "f" * 16, "ftevent-zz", "x", "ftevent-+00000000000000f"],
)
def test_a_cursor_that_cannot_be_an_event_is_refused(
    http: TestClient, file_id: str, after: str
) -> None:
    job = create_job(http, file_id).json()
    response = http.get(f"{JOBS}/{job['id']}/events", params={"after": after})
    assert get_error(response) == (400, "invalid_request", "after")
