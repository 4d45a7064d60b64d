"""The runs of a new job: pilots, grids of seeds, early discard and folds."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.test_jobs import GIVEN, JOBS, create

RATE = 6.4e-4  # by the rule, for a width of 32
NETWORKS = [("family", 1), ("mean", 0), ("family", 0)]


def list_settings(candidate: dict[str, Any]) -> tuple[float, int | list[int], int]:
    return candidate["learning_rate"], candidate["reinit_layers"], candidate["max_steps"]


def test_pilots_come_first_if_a_setting_is_automatic(http: TestClient, file_id: str) -> None:
    job = create(http, file_id, runs={"num_seeds": 3}).json()
    assert job["resolved_recipe"] is None
    automatic = {"pooling", "head_first", "reinit_layers", "learning_rate", "max_steps"}
    assert set(job["recipe_notes"]) == automatic | {"pair_encoding", "precision"}
    plan = job["pilots"]
    # 10 epochs of one step are below the minimum length; the rule depth is at least one block
    candidates = plan["candidates"]
    assert [(one["pooling"], *list_settings(one)) for one in candidates] == [
        (pooling, RATE, depth, 160) for pooling, depth in NETWORKS
    ]
    assert (plan["chosen"], plan["reason"], plan["steps"]) == (None, None, 3 * 160)
    assert plan["limit"] == 5 * 320  # three runs count as five
    runs = http.get(f"{JOBS}/{job['id']}/runs", params={"purpose": "pilot"}).json()["data"]
    planned = [(run["index"], run["seed"] - 2**31, run["recipe"]["pooling"]) for run in runs]
    assert planned == [(index, 0, pooling) for index, (pooling, _) in enumerate(NETWORKS)]
    assert job["runs_summary"]["total"] == 3
    assert job["progress"]["steps_total"] == 3 * 160 + 3 * 320
    report = http.get(f"{JOBS}/{job['id']}/stability").json()
    assert (report["planned"], len(report["runs"])) == (3, 3)
    cancelled = http.post(f"{JOBS}/{job['id']}/cancel").json()
    assert (cancelled["status"], cancelled["runs_summary"]["cancelled"]) == ("cancelled", 3)


@pytest.mark.parametrize(
    ("recipe", "candidates"),
    [
        ({"preset": "longer"}, [(RATE, 0, 320), (RATE, 0, 640)]),
        ({"preset": "reinit"}, [(RATE, depth, 1) for depth in (1, 0, 2)]),
        ({"max_steps": 40}, [(RATE, depth, 20) for depth in (1, 0, 0)]),
        ({"reinit_layers": [0, 2]}, [(rate, [0, 2], 160) for rate in (RATE, 2.6e-3, 1.6e-4)]),
        (
            {"learning_rate": 1e-3, "reinit_layers": 1},
            [(1e-3, 1, 320), (1e-3, 1, 640)],
        ),
        ({"learning_rate": 1e-3, "max_steps": 40}, [(1e-3, depth, 20) for depth in (1, 0, 0)]),
        (
            {"preset": "debiased", "num_train_epochs": "auto"},
            [(RATE, 0, 320), (RATE, 0, 640)],
        ),
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
    for purpose, expected in (("pilot", [0] * 3), ("main", [0, 1])):
        runs = http.get(f"{JOBS}/{job['id']}/runs", params={"purpose": purpose}).json()["data"]
        assert [run["fold"] for run in runs] == expected
    extended = http.post(f"{JOBS}/{job['id']}/extend", json={"seeds": [7]}).json()
    assert extended["runs_summary"]["total"] == 4
    http.post(f"{JOBS}/{job['id']}/cancel")
    refused = create(
        http, file_id, recipe=GIVEN, split=folds, early_discard={"start": 4, "keep": 2}
    ).json()
    assert refused["error"]["param"] == "early_discard"
