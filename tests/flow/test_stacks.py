"""Stacks of seeds in a real service: their runs have the numbers of single runs."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.encoders import build_bert_folder
from tests.make import review_csv
from tests.servers import redis_server
from tests.stack import Stack, running_stack

STEPS = 24
RECIPE = {"max_steps": STEPS, "learning_rate": 0.002, "train_batch_size": 16, "reinit_layers": 1}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service with one slot that trains up to four runs together, and a model without dropout."""
    folder = tmp_path_factory.mktemp("side-by-side")
    build_bert_folder(folder / "models" / "tiny-bert", dropout=0.0)
    with (
        redis_server() as redis,
        running_stack(
            folder / "home",
            f"sqlite:///{folder / 'test.db'}",
            redis,
            folder / "models",
            slots=1,
            EVENKEEL_STACK="4",
        ) as running,
    ):
        yield running


def train(stack: Stack, **request: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    file = stack.upload(review_csv(80))
    job = stack.create(file["id"], model="tiny-bert", recipe=RECIPE, **request)
    ended = stack.wait(job["id"])
    assert ended["status"] == "succeeded", stack.logs()
    return ended, stack.runs(job["id"])


def list_events(stack: Stack, job_id: str) -> list[str]:
    listed = stack.get(f"/v1/fine_tuning/jobs/{job_id}/events", limit=1000)["data"]
    return [event["message"] for event in reversed(listed)]


def test_eight_seeds_four_at_a_time_are_those_of_single_runs(stack: Stack) -> None:
    job, runs = train(stack, runs={"num_seeds": 8})
    said = list_events(stack, job["id"])
    began = [said.index(f"Run {index} (seed {index}) started.") for index in range(8)]
    first_end = next(place for place, message in enumerate(said) if " finished: " in message)
    assert [place < first_end for place in began] == [True] * 4 + [False] * 4
    assert [
        any(f", seed {index}:" in message for message in said[:first_end]) for index in range(5)
    ] == [True] * 4 + [False]
    assert {(run["status"], run["attempt"], run["step"]) for run in runs} == {
        ("succeeded", 1, STEPS)
    }

    stack.kill("worker")
    stack.environment["EVENKEEL_STACK"] = "1"
    stack.start("worker")
    single_job, singles = train(stack, runs={"num_seeds": 8})
    for run, single in zip(runs, singles, strict=True):
        mine, other = (
            stack.metrics(job["id"], run["id"]),
            stack.metrics(single_job["id"], single["id"]),
        )
        assert mine.keys() == other.keys()
        for name, points in mine.items():
            assert [step for step, _ in points] == [step for step, _ in other[name]], name
        losses, expected = (
            [value for _, value in series["train_loss"]] for series in (mine, other)
        )
        assert [step for step, _ in mine["train_loss"]] == list(range(1, STEPS + 1))
        assert losses == pytest.approx(expected, abs=1e-3)
        assert run["score"] == pytest.approx(single["score"], abs=1 / 16)  # one of 16 rows
    assert job["stability"]["n"] == single_job["stability"]["n"] == 8
    stack.kill("worker")
    stack.environment["EVENKEEL_STACK"] = "4"
    stack.start("worker")


@pytest.mark.long
def test_pilots_a_discard_and_an_extension(stack: Stack) -> None:
    recipe = {name: value for name, value in RECIPE.items() if name != "reinit_layers"}
    file = stack.upload(review_csv(80))
    discard = {"start": 6, "keep": 3, "at_fraction": 0.5}
    job_id = stack.create(file["id"], model="tiny-bert", recipe=recipe, early_discard=discard)["id"]
    ended = stack.wait(job_id, 240)
    assert ended["status"] == "succeeded", stack.logs()
    summary = ended["runs_summary"]
    assert (summary["succeeded"], summary["discarded"]) == (3, 3)
    pilots = stack.get(f"/v1/fine_tuning/jobs/{job_id}/runs", purpose="pilot")["data"]
    assert {pilot["status"] for pilot in pilots} == {"succeeded"}
    for run in stack.runs(job_id):
        steps = [step for step, _ in stack.metrics(job_id, run["id"])["train_loss"]]
        assert steps == list(range(1, (STEPS if run["status"] == "succeeded" else STEPS // 2) + 1))

    plain, before = train(stack, runs={"num_seeds": 2})
    stack.http.post(f"/v1/fine_tuning/jobs/{plain['id']}/extend", json={"num_seeds": 3})
    assert stack.wait(plain["id"])["status"] == "succeeded", stack.logs()
    runs = stack.runs(plain["id"])
    assert [run["seed"] for run in runs] == list(range(5))
    assert [run["weights_sha256"] for run in runs[:2]] == [run["weights_sha256"] for run in before]
