"""The runs of a new job: pilots, grids of seeds, early discard and folds."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.test_jobs import GIVEN, JOBS, create


def list_settings(candidate: dict[str, Any]) -> tuple[int | list[int], int]:
    return candidate["reinit_layers"], candidate["max_steps"]


def test_pilots_come_first_if_a_setting_is_automatic(http: TestClient, file_id: str) -> None:
    job = create(http, file_id, runs={"num_seeds": 3}).json()
    assert job["resolved_recipe"] is None
    assert set(job["recipe_notes"]) == {"learning_rate", "reinit_layers", "max_steps", "precision"}
    plan = job["pilots"]
    # 10 epochs of one step are below the minimum length; the rule depth is at least one block
    assert [list_settings(candidate) for candidate in plan["candidates"]] == [
        (0, 320),
        (1, 320),
        (2, 320),
    ]
    assert (plan["chosen"], plan["reason"], plan["steps"]) == (None, None, 6 * 320)
    runs = http.get(f"{JOBS}/{job['id']}/runs", params={"purpose": "pilot"}).json()["data"]
    indices, seeds, depths = zip(
        *((run["index"], run["seed"] - 2**31, run["recipe"]["reinit_layers"]) for run in runs),
        strict=True,
    )
    assert (indices, seeds, depths) == (tuple(range(6)), (0, 1) * 3, (0, 0, 1, 1, 2, 2))
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
def test_only_automatic_settings_are_searched(
    http: TestClient, file_id: str, recipe: dict[str, Any], candidates: list[Any]
) -> None:
    job = create(http, file_id, recipe=recipe).json()
    assert [list_settings(candidate) for candidate in job["pilots"]["candidates"]] == candidates
    http.post(f"{JOBS}/{job['id']}/cancel")


def test_a_grid_crosses_its_seeds(http: TestClient, file_id: str) -> None:
    def list_seeds(**runs: Any) -> list[tuple[int, int, int]]:
        job = create(http, file_id, recipe=GIVEN, runs=runs, seed=3).json()
        listed = http.get(f"{JOBS}/{job['id']}/runs").json()["data"]
        return [(run["seed"], run["init_seed"], run["data_seed"]) for run in listed]

    assert list_seeds(init_seeds=[1, 2], data_seeds=[8, 9]) == [
        (1, 1, 8),
        (1, 1, 9),
        (2, 2, 8),
        (2, 2, 9),
    ]
    assert list_seeds(num_seeds=2, data_seeds=[8]) == [(3, 3, 8), (4, 4, 8)]
    assert list_seeds(seeds=[7], data_seeds=[8, 9]) == [(7, 7, 8), (7, 7, 9)]


def test_an_early_discard_gives_the_number_of_seeds(http: TestClient, file_id: str) -> None:
    settings = {"start": 4, "keep": 2, "at_fraction": 0.3}
    job = create(http, file_id, recipe=GIVEN, early_discard=settings).json()
    assert (job["runs_summary"]["total"], job["early_discard"]) == (4, settings)
    assert (
        http.get(f"{JOBS}/{job['id']}/stability").json()["early_discard"] is None
    )  # not decided yet
    off = create(http, file_id, recipe=GIVEN, early_discard={**settings, "enabled": False}).json()
    assert (off["runs_summary"]["total"], off["early_discard"]) == (5, None)
    extended = http.post(f"{JOBS}/{job['id']}/extend", json={"num_seeds": 1}).json()
    assert extended["error"]["code"] == "job_not_extendable"


def test_pilots_of_a_k_fold_job_share_one_fold(http: TestClient, file_id: str) -> None:
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
