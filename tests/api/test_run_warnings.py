"""What a job and its dry run warn of its runs: no training, no spread, a choice by chance."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.planned_jobs import GIVEN, get_warnings, make_rows, upload_rows
from tests.api.test_tasks_and_splits import JOBS, create, index_warnings

LENGTH_CODES = {"no_training", "less_than_one_epoch"}


def upload_balanced(http: TestClient, rows: int = 200) -> str:
    return upload_rows(http, make_rows("ab" * (rows // 2), "text"))


@pytest.mark.parametrize("length", [{"max_steps": 1}, {"num_train_epochs": 0.001}])
def test_a_warm_up_without_a_rate_does_not_train(http: TestClient, length: dict[str, Any]) -> None:
    file_id = upload_balanced(http)
    recipe = {"reinit_layers": 0, "learning_rate": 6.4e-4, **length}
    found = get_warnings(http, file_id, recipe=recipe)
    assert found["no_training"] == (
        "A run has 1 step, whose learning rate is 0 because the warm-up begins there, so no run "
        "changes the model. Raise recipe.max_steps, or set recipe.warmup_ratio to 0."
    )
    assert "less_than_one_epoch" not in found
    for other in ({"warmup_ratio": 0.0}, {"max_steps": 2, "num_train_epochs": None}):
        trained = get_warnings(http, file_id, recipe=recipe | other)
        assert trained.keys() & LENGTH_CODES == {"less_than_one_epoch"}


def test_a_rate_below_the_rounding_of_the_weights_does_not_train(http: TestClient) -> None:
    file_id = upload_balanced(http)
    found = get_warnings(http, file_id, recipe=GIVEN | {"learning_rate": 1e-299})
    assert found["no_training"].startswith("A learning rate of 1e-299 is below the rounding of")
    small = get_warnings(http, file_id, recipe=GIVEN | {"learning_rate": 1e-7})
    assert "no_training" not in small


def test_rows_that_are_not_used_once(http: TestClient) -> None:
    file_id = upload_balanced(http)
    for length in ({"max_steps": 4}, {"num_train_epochs": 0.8}):
        found = get_warnings(
            http, file_id, recipe={"reinit_layers": 0, "learning_rate": 6.4e-4, **length}
        )
        assert found["less_than_one_epoch"] == (
            "Each run uses only 128 of the 160 training rows (4 x 32). One epoch is 5 steps "
            "(recipe.max_steps)."
        )
    for recipe in ({"max_steps": 5}, {"num_train_epochs": 1.0}, {}, {"preset": "longer"}):
        assert not get_warnings(http, file_id, recipe=recipe).keys() & LENGTH_CODES


@pytest.mark.parametrize(
    "runs", [{"num_seeds": 1}, {"seeds": [7]}, {"init_seeds": [1], "data_seeds": [2]}]
)
def test_one_seed_has_no_spread(http: TestClient, runs: dict[str, Any]) -> None:
    file_id = upload_balanced(http)
    found = get_warnings(http, file_id, recipe=GIVEN, runs=runs)
    assert found["single_seed"].startswith("The job has 1 seed, so the spread over seeds and the")
    folds = get_warnings(http, file_id, recipe=GIVEN, runs=runs, split={"mode": "kfold", "k": 2})
    assert "its spread is that over folds" in folds["single_seed"]
    for several in ({"num_seeds": 2}, {"init_seeds": [1], "data_seeds": [2, 3]}):
        assert "single_seed" not in get_warnings(http, file_id, recipe=GIVEN, runs=several)


def test_further_seeds_end_the_warning_of_a_single_one(http: TestClient) -> None:
    job = create(http, upload_balanced(http), recipe=GIVEN, runs={"num_seeds": 1}).json()
    assert "single_seed" in index_warnings(job)
    extended = http.post(f"{JOBS}/{job['id']}/extend", json={"num_seeds": 2}).json()
    assert "single_seed" not in index_warnings(extended)
    assert index_warnings(extended).keys() == index_warnings(job).keys() - {"single_seed"}


def test_an_early_discard_that_keeps_one_run(http: TestClient) -> None:
    file_id = upload_balanced(http)
    discard = {"start": 4, "keep": 1}
    found = get_warnings(http, file_id, recipe=GIVEN, early_discard=discard)
    assert found["single_seed"].startswith("early_discard keeps 1 run, so the spread over seeds ")
    two = get_warnings(http, file_id, recipe=GIVEN, early_discard=discard | {"keep": 2})
    assert not {"single_seed", "discard_before_training", "discard_on_few_rows"} & two.keys()


def test_an_early_discard_before_the_first_update(http: TestClient) -> None:
    file_id = upload_balanced(http)
    discard = {"start": 4, "keep": 2, "at_fraction": 0.05}
    recipe = GIVEN | {"max_steps": 20}
    found = get_warnings(http, file_id, recipe=recipe, early_discard=discard)
    assert "after step 1, but the learning rate is 0 until then" in found["discard_before_training"]
    at_once = recipe | {"warmup_ratio": 0.0}
    trained = get_warnings(http, file_id, recipe=at_once, early_discard=discard)
    assert "discard_before_training" not in trained


def test_a_choice_on_few_validation_rows(http: TestClient) -> None:
    few, enough = upload_balanced(http, 100), upload_balanced(http, 200)
    assert get_warnings(http, few)["pilots_on_few_rows"] == (
        "Pilots choose pooling, reinit_layers, learning_rate and max_steps by scores on 20 "
        "validation rows, which is mostly chance. Add validation rows, or set pooling, "
        "reinit_layers, learning_rate and max_steps in the recipe."
    )
    discard = {"start": 4, "keep": 2}
    found = get_warnings(http, few, recipe=GIVEN, early_discard=discard)
    assert found["discard_on_few_rows"].startswith("early_discard compares runs by scores on 20 ")
    assert "pilots_on_few_rows" not in found
    assert "pilots_on_few_rows" not in get_warnings(http, enough)
