"""Creating jobs over HTTP: which runs they have, and what comes before or part-way through them."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.test_jobs import GIVEN, JOBS, create


def test_pilots_come_before_the_runs_where_something_is_automatic(
    http: TestClient, file_id: str
) -> None:
    job = create(http, file_id, runs={"num_seeds": 3}).json()
    assert job["resolved_recipe"] is None
    assert set(job["recipe_notes"]) == {"learning_rate", "reinit_layers", "max_steps", "precision"}
    found_out = job["pilots"]
    # 10 epochs of one step are fewer than the least; one of three blocks is at least a sixth
    assert [(c["reinit_layers"], c["max_steps"]) for c in found_out["candidates"]] == [
        (0, 320),
        (1, 320),
        (2, 320),
    ]
    assert (found_out["chosen"], found_out["reason"], found_out["steps"]) == (None, None, 6 * 320)
    runs = http.get(f"{JOBS}/{job['id']}/runs", params={"purpose": "pilot"}).json()["data"]
    assert [(run["index"], run["seed"] - 2**31, run["recipe"]["reinit_layers"]) for run in runs] == [
        (0, 0, 0), (1, 1, 0), (2, 0, 1), (3, 1, 1), (4, 0, 2), (5, 1, 2)
    ]  # fmt: skip
    assert job["runs_summary"]["total"] == 3
    assert job["progress"]["steps_total"] == (6 + 3) * 320
    report = http.get(f"{JOBS}/{job['id']}/stability").json()
    assert (report["planned"], len(report["runs"])) == (3, 3)
    cancelled = http.post(f"{JOBS}/{job['id']}/cancel").json()
    assert (cancelled["status"], cancelled["runs_summary"]["cancelled"]) == ("cancelled", 3)


@pytest.mark.parametrize(
    ("recipe", "candidates"),
    [
        ({"preset": "longer"}, [(0, 320)]),
        ({"preset": "reinit"}, [(0, 3), (1, 3), (2, 3)]),
        ({"max_steps": 40}, [(0, 40), (1, 40), (2, 40)]),
        ({"reinit_layers": [0, 2]}, [([0, 2], 320)]),
        ({"preset": "debiased", "num_train_epochs": "auto"}, [(0, 320)]),
    ],
)
def test_what_is_given_is_not_searched(
    http: TestClient, file_id: str, recipe: dict[str, Any], candidates: list[Any]
) -> None:
    job = create(http, file_id, recipe=recipe).json()
    assert [(c["reinit_layers"], c["max_steps"]) for c in job["pilots"]["candidates"]] == candidates
    http.post(f"{JOBS}/{job['id']}/cancel")


def test_a_grid_of_seeds(http: TestClient, file_id: str) -> None:
    def seeds(**runs: Any) -> list[tuple[int, int, int]]:
        job = create(http, file_id, recipe=GIVEN, runs=runs, seed=3).json()
        listed = http.get(f"{JOBS}/{job['id']}/runs").json()["data"]
        return [(run["seed"], run["init_seed"], run["data_seed"]) for run in listed]

    assert seeds(init_seeds=[1, 2], data_seeds=[8, 9]) == [
        (1, 1, 8),
        (1, 1, 9),
        (2, 2, 8),
        (2, 2, 9),
    ]
    assert seeds(num_seeds=2, data_seeds=[8]) == [(3, 3, 8), (4, 4, 8)]
    assert seeds(seeds=[7], data_seeds=[8, 9]) == [(7, 7, 8), (7, 7, 9)]


def test_an_early_discard_starts_its_own_number_of_seeds(http: TestClient, file_id: str) -> None:
    asked = {"start": 4, "keep": 2, "at_fraction": 0.3}
    job = create(http, file_id, recipe=GIVEN, early_discard=asked).json()
    assert (job["runs_summary"]["total"], job["early_discard"]) == (4, asked)
    assert (
        http.get(f"{JOBS}/{job['id']}/stability").json()["early_discard"] is None
    )  # nothing is decided yet
    off = create(http, file_id, recipe=GIVEN, early_discard={**asked, "enabled": False}).json()
    assert (off["runs_summary"]["total"], off["early_discard"]) == (5, None)
    extended = http.post(f"{JOBS}/{job['id']}/extend", json={"num_seeds": 1}).json()
    assert extended["error"]["code"] == "job_not_extendable"


def test_under_k_fold_pilots_are_judged_on_one_part(http: TestClient, file_id: str) -> None:
    folds = {"mode": "kfold", "k": 2}
    job = create(http, file_id, recipe={"max_steps": 40}, split=folds, runs={"num_seeds": 1}).json()
    for purpose, expected in (("pilot", [0] * 6), ("main", [0, 1])):
        runs = http.get(f"{JOBS}/{job['id']}/runs", params={"purpose": purpose}).json()["data"]
        assert [run["fold"] for run in runs] == expected
    extended = http.post(f"{JOBS}/{job['id']}/extend", json={"seeds": [7]}).json()
    assert extended["runs_summary"]["total"] == 4
    http.post(f"{JOBS}/{job['id']}/cancel")
    refused = create(
        http, file_id, recipe=GIVEN, split=folds, early_discard={"start": 4, "keep": 2}
    ).json()
    assert refused["error"]["param"] == "early_discard"
