"""Comparisons over HTTP: create, read, list, refuse."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from shared.db.session import Database
from shared.domain.job_facts import RowCounts
from shared.domain.job_request import RequestedRecipe, StoredRequest
from shared.domain.task import ForeignSplit, SplitRequest
from tests.api.scored_jobs import DATASET, HIGH, LOW, add_job
from tests.rows import TASK

COMPARISONS = "/v1/fine_tuning/comparisons"


def compare(http: TestClient, *job_ids: str, **fields: Any) -> Any:
    return http.post(COMPARISONS, json={"job_ids": list(job_ids), **fields})


def test_two_jobs_are_compared_by_every_test(http: TestClient, database: Database) -> None:
    a, b = add_job(database, LOW, "conventional"), add_job(database, HIGH)
    comparison = compare(http, a, b).json()
    assert comparison.keys() >= {
        "id",
        "object",
        "created_at",
        "metric",
        "split",
        "alpha",
        "jobs",
        "pairs",
    }
    assert comparison["id"].startswith("ftcmp-")
    assert (
        comparison["object"],
        comparison["metric"],
        comparison["split"],
        comparison["alpha"],
    ) == (
        "fine_tuning.comparison",
        "accuracy",
        "validation",
        0.05,
    )
    assert [(job["job_id"], job["preset"], job["n"]) for job in comparison["jobs"]] == [
        (a, "conventional", 6),
        (b, "stabilized", 6),
    ]
    [pair] = comparison["pairs"]
    assert (pair["a"], pair["b"], pair["difference"]) == (a, b, pytest.approx(0.1))
    tests = {test["name"]: test for test in pair["tests"]}
    assert set(tests) == {"welch", "permutation", "paired_permutation", "brown_forsythe", "fisher"}
    assert tests["permutation"]["p"] == pytest.approx(2 / 924)
    assert tests["paired_permutation"]["p"] == pytest.approx(2 / 64)  # seeds 0 to 5 of both
    assert tests["fisher"]["p"] == 1.0
    assert all(
        test["p_holm"] is None and test["alternative"] == "two-sided" for test in tests.values()
    )
    assert pair["verdict"]["code"] == "b_better"
    assert "stabilized is better than conventional by 0.100 accuracy" in pair["verdict"]["text"]


def test_a_comparison_is_stored_and_listed(http: TestClient, database: Database) -> None:
    comparison = compare(http, add_job(database, LOW), add_job(database, HIGH)).json()
    assert http.get(f"{COMPARISONS}/{comparison['id']}").json() == comparison
    later = compare(http, add_job(database, LOW), add_job(database, HIGH)).json()
    page = http.get(COMPARISONS, params={"limit": 1}).json()
    assert (page["object"], page["has_more"], page["data"]) == ("list", True, [later])
    assert http.get(COMPARISONS, params={"limit": 1, "after": later["id"]}).json()["data"] == [
        comparison
    ]


def test_three_seeds_per_job_are_not_enough(http: TestClient, database: Database) -> None:
    verdict = compare(http, add_job(database, LOW[:3]), add_job(database, HIGH[:3])).json()[
        "pairs"
    ][0]["verdict"]
    assert (verdict["code"], verdict["seeds_needed"]) == ("not_enough_seeds", 4)
    assert "At least 4 seeds per job are needed" in verdict["text"]


def test_p_values_of_several_jobs_are_adjusted(http: TestClient, database: Database) -> None:
    jobs = [add_job(database, scores) for scores in (LOW, HIGH, LOW)]
    comparison = compare(http, *jobs, alpha=0.01).json()
    assert len(comparison["pairs"]) == 3
    assert all(test["p_holm"] is not None for pair in comparison["pairs"] for test in pair["tests"])
    assert (
        "stabilized (B) is better than stabilized (A)" in comparison["pairs"][0]["verdict"]["text"]
    )


def test_jobs_can_be_compared_by_another_metric(http: TestClient, database: Database) -> None:
    a, b = add_job(database, LOW), add_job(database, HIGH)
    comparison = compare(http, a, b, metric="f1").json()
    assert (comparison["metric"], comparison["pairs"][0]["difference"]) == (
        "f1",
        pytest.approx(0.05),
    )
    error = compare(http, a, b, metric="mcc").json()["error"]
    assert (error["code"], error["param"]) == ("jobs_not_comparable", "metric")


def test_a_comparison_of_open_jobs_is_provisional(http: TestClient, database: Database) -> None:
    comparison = compare(
        http, add_job(database, LOW), add_job(database, [*HIGH, None], "reinit", status="running")
    ).json()
    assert comparison["provisional"] is True
    assert "reinit still has open runs" in comparison["pairs"][0]["verdict"]["text"]


def test_a_job_without_a_resolved_recipe_has_its_requested_preset(
    http: TestClient, database: Database
) -> None:
    waiting = add_job(
        database,
        [None],
        resolved_recipe=None,
        request=StoredRequest(recipe=RequestedRecipe(preset="reinit")),
        status="running",
    )
    comparison = compare(http, add_job(database, LOW), waiting).json()
    assert comparison["jobs"][1]["preset"] == "reinit"
    assert comparison["pairs"][0]["verdict"]["code"] == "not_enough_seeds"


OTHER_ROWS = RowCounts(train=60, validation=16, test=4)
DIFFERENCES: list[tuple[dict[str, Any], str]] = [
    ({"dataset": DATASET.model_copy(update={"training_sha256": "b"})}, "files"),
    ({"dataset": DATASET.model_copy(update={"validation_sha256": "c"})}, "files"),
    ({"dataset": DATASET.model_copy(update={"test_sha256": "c"})}, "files"),
    ({"split": SplitRequest(seed=1)}, "split"),
    ({"dataset": DATASET.model_copy(update={"rows": OTHER_ROWS})}, "rows"),
    ({"task": TASK.model_copy(update={"label_column": "other"})}, "task"),
    ({"metric": "mcc"}, "metric"),
]


@pytest.mark.parametrize(("values", "aspect"), DIFFERENCES, ids=lambda value: str(value)[:60])
def test_jobs_scored_on_other_rows_are_refused(
    http: TestClient, database: Database, values: dict[str, Any], aspect: str
) -> None:
    response = compare(http, add_job(database, LOW), add_job(database, HIGH, **values))
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (
        400,
        "jobs_not_comparable",
        "job_ids",
    )
    assert aspect in error["message"]


def test_split_settings_that_are_off_make_no_difference(
    http: TestClient, database: Database
) -> None:
    older, newer = (
        add_job(database, LOW, split=ForeignSplit.model_validate({"seed": 0})),
        add_job(
            database,
            HIGH,
            split=ForeignSplit.model_validate({"seed": 0, "folds": None, "halve": False}),
        ),
    )
    assert compare(http, older, newer).status_code == 200


def test_invalid_requests_are_refused(http: TestClient, database: Database) -> None:
    a, b = add_job(database, LOW), add_job(database, HIGH)
    for body, param in (
        ({"job_ids": [a]}, "job_ids"),
        ({"job_ids": [a, a]}, "job_ids"),
        ({"job_ids": [a, *(f"ftjob-{i}" for i in range(10))]}, "job_ids"),
        ({"job_ids": [a, b], "alpha": 0}, "alpha"),
        ({"job_ids": [a, b], "alpha": 0.6}, "alpha"),
        ({"job_ids": [a, b], "metric": "bleu"}, "metric"),
        ({"job_ids": [a, b], "test": "welch"}, "test"),
        ({}, "job_ids"),
    ):
        response = http.post(COMPARISONS, json=body)
        assert (
            response.status_code,
            response.json()["error"]["code"],
            response.json()["error"]["param"],
        ) == (
            400,
            "invalid_request",
            param,
        )


def test_unknown_ids_are_not_found(http: TestClient, database: Database) -> None:
    error = compare(http, add_job(database, LOW), "ftjob-none").json()["error"]
    assert (error["code"], error["param"]) == ("job_not_found", "job_ids")
    response = http.get(f"{COMPARISONS}/ftcmp-none")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "comparison_not_found")
