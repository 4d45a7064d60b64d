"""Cloning jobs over HTTP."""

from fastapi.testclient import TestClient

from tests.api.job_requests import JOBS, create_job, get_refusal


def test_a_clone_has_the_request_of_the_original(http: TestClient, file_id: str) -> None:
    first = create_job(http, file_id)
    second = http.post(f"{JOBS}/{first['id']}/clone").json()
    assert second["id"] != first["id"]
    copied_fields = (
        "model",
        "training_file",
        "seed",
        "suffix",
        "metadata",
        "recipe",
        "resolved_recipe",
        "split",
        "task",
        "runs",
    )
    assert {name: second[name] for name in copied_fields} == {
        name: first[name] for name in copied_fields
    }
    assert second["hyperparameters"]["n_epochs"] == 2


def test_a_given_field_replaces_the_original_one_entirely(http: TestClient, file_id: str) -> None:
    first = create_job(http, file_id)
    changes = {"recipe": {"preset": "conventional"}, "runs": {"seeds": [5]}, "metadata": None}
    second = http.post(f"{JOBS}/{first['id']}/clone", json=changes).json()
    assert (second["recipe"], second["runs"], second["metadata"]) == (
        {"preset": "conventional"},
        {"seeds": [5]},
        None,
    )
    assert second["split"]["validation_fraction"] == 0.3
    dry = http.post(f"{JOBS}/{first['id']}/clone", json={"dry_run": True}).json()
    assert dry["object"] == "fine_tuning.job.dry_run"


def test_an_invalid_clone_names_the_field(http: TestClient, file_id: str) -> None:
    job_id = create_job(http, file_id)["id"]
    for changes, expected in (
        ({"colour": 1}, (400, "invalid_request", "colour")),
        ({"recipe": {"max_steps": 9}}, (400, "invalid_value", "recipe.max_steps")),
        ({"early_discard": {"start": 4, "keep": 2}}, (400, "invalid_request", None)),
        ({"model": "nothing"}, (400, "model_not_allowed", "model")),
        ({"training_file": "file-none"}, (404, "file_not_found", "training_file")),
    ):
        assert get_refusal(http.post(f"{JOBS}/{job_id}/clone", json=changes)) == expected
    assert http.post(f"{JOBS}/ftjob-none/clone").status_code == 404


def test_a_clone_sent_again_creates_one_job_other_than_the_original(
    http: TestClient, file_id: str
) -> None:
    first = create_job(http, file_id, seed=71)
    again = {"x-stainless-retry-count": "1"}
    clone = http.post(f"{JOBS}/{first['id']}/clone", headers=again).json()["id"]
    assert clone != first["id"]
    assert http.post(f"{JOBS}/{first['id']}/clone", headers=again).json()["id"] == clone
    key = {"Idempotency-Key": f"clone-{first['id']}"}
    keyed = [http.post(f"{JOBS}/{first['id']}/clone", headers=key).json()["id"] for _ in range(2)]
    assert keyed[0] == keyed[1] != clone
