"""Jobs with stages in a real service: pilots, early discard, added seeds, fine-tuned start."""

import csv
import io
from typing import Any

import pytest

from shared.recipe.candidates import SEARCHED_SETTINGS
from tests.make import csv_bytes, review_csv
from tests.stack import Stack

QUICK = {"max_steps": 24, "learning_rate": 0.005, "train_batch_size": 16, "reinit_layers": 1}
SLOW = {"learning_rate": 0.002, "train_batch_size": 4}


@pytest.fixture(scope="module")
def file_id(shared_stack: Stack) -> str:
    return str(shared_stack.upload(review_csv(80))["id"])


def train_with_pilots(shared_stack: Stack, file_id: str, recipe: dict[str, Any]) -> dict[str, Any]:
    job = shared_stack.create(
        file_id, model="tiny-bert", recipe=recipe, runs={"num_seeds": 2}, suffix="first"
    )
    assert job["resolved_recipe"] is None
    ended = shared_stack.wait(job["id"], 240)
    assert ended["status"] == "succeeded", shared_stack.logs()
    return ended


@pytest.fixture(scope="module")
def piloted(shared_stack: Stack, file_id: str) -> dict[str, Any]:
    return train_with_pilots(shared_stack, file_id, {**SLOW, "max_steps": 48})


@pytest.mark.long
def test_with_nothing_set_depth_and_length_are_found(shared_stack: Stack, file_id: str) -> None:
    ended = train_with_pilots(shared_stack, file_id, SLOW)
    assert set(ended["pilots"]["automatic"]) == {"pooling", "reinit_layers", "max_steps"}
    assert (
        str(ended["resolved_recipe"]["max_steps"])
        == ended["recipe_notes"]["max_steps"].split(":")[0]
    )
    test_pilots_find_the_recipe_that_the_runs_then_have(shared_stack, ended)


def read_result_file(stack: Stack, job: dict[str, Any], name: str) -> list[dict[str, str]]:
    [file_id] = [f for f in job["result_files"] if stack.get(f"/v1/files/{f}")["filename"] == name]
    content = stack.http.get(f"/v1/files/{file_id}/content").content
    return list(csv.DictReader(io.StringIO(content.decode())))


def list_events(stack: Stack, job_id: str) -> list[str]:
    listed = stack.get(f"/v1/fine_tuning/jobs/{job_id}/events", limit=1000)["data"]
    return [event["message"] for event in reversed(listed)]


def test_pilots_find_the_recipe_that_the_runs_then_have(
    shared_stack: Stack, piloted: dict[str, Any]
) -> None:
    found, recipe = piloted["pilots"], piloted["resolved_recipe"]
    searched = [name for name in SEARCHED_SETTINGS if name in found["chosen"]]
    assert {"pooling", "reinit_layers", "learning_rate", "max_steps"} <= set(searched)
    assert found["chosen"] == {name: recipe[name] for name in searched}
    pilots = shared_stack.get(f"/v1/fine_tuning/jobs/{piloted['id']}/runs", purpose="pilot")["data"]
    assert len(pilots) == sum(len(candidate["scores"]) for candidate in found["candidates"]) >= 5
    assert {pilot["status"] for pilot in pilots} == {"succeeded"}
    for candidate in found["candidates"]:
        mine = [p for p in pilots if all(p["recipe"][name] == candidate[name] for name in searched)]
        assert [pilot["validation_score"] for pilot in mine] == candidate["scores"]
        assert {pilot["seed"] for pilot in mine} < set(found["seeds"])
    assert found["steps"] == sum(pilot["total_steps"] for pilot in pilots)
    assert found["steps"] <= 5 * recipe["max_steps"]  # two runs count as five
    assert str(recipe["reinit_layers"]) == piloted["recipe_notes"]["reinit_layers"].split(":")[0]

    runs = shared_stack.runs(piloted["id"])
    assert [(run["seed"], run["step"], run["total_steps"]) for run in runs] == [
        (s, *[recipe["max_steps"]] * 2) for s in (0, 1)
    ]
    assert min(run["started_at"] for run in runs) >= max(pilot["finished_at"] for pilot in pilots)
    assert piloted["runs_summary"]["total"] == 2
    report = shared_stack.get(f"/v1/fine_tuning/jobs/{piloted['id']}/stability")
    assert [run["seed"] for run in report["runs"]] == [0, 1]
    assert any(
        message.startswith("Pilots chose the recipe: pooling")
        for message in list_events(shared_stack, piloted["id"])
    )
    assert {
        row["run_id"] for row in read_result_file(shared_stack, piloted, "predictions.csv")
    } == {run["id"] for run in runs}


def test_a_fine_tuned_model_is_a_start_for_other_labels(
    shared_stack: Stack, piloted: dict[str, Any]
) -> None:
    names = ("kind", "unkind", "neither")
    rows: list[tuple[str, ...]] = [
        (f"{'good' if i % 3 == 0 else 'bad' if i % 3 == 1 else 'the'} film {i}", names[i % 3])
        for i in range(60)
    ]
    other = shared_stack.upload(csv_bytes(rows))["id"]
    job = shared_stack.create(
        other, model=piloted["fine_tuned_model"], recipe=QUICK, runs={"num_seeds": 1}
    )
    blocked = shared_stack.http.delete(f"/v1/models/{piloted['fine_tuned_model']}")
    extended = shared_stack.http.post(
        f"/v1/fine_tuning/jobs/{piloted['id']}/extend", json={"num_seeds": 1}
    )
    ended = shared_stack.wait(job["id"])
    assert ended["status"] == "succeeded", shared_stack.logs()
    assert {answer.json()["error"]["code"] for answer in (blocked, extended)} == {"model_in_use"}
    assert ended["fine_tuned_model"].startswith("ft:tiny-bert:local::")
    model = shared_stack.get(f"/v1/models/{ended['fine_tuned_model']}")
    assert (model["base_model"], model["labels"]) == (piloted["fine_tuned_model"], sorted(names))
    plain = shared_stack.create(other, model="tiny-bert", recipe=QUICK, runs={"num_seeds": 1})
    shared_stack.wait(plain["id"])
    # same rows, seeds and new head: only the encoder's initial weights differ
    assert (
        shared_stack.runs(plain["id"])[0]["weights_sha256"]
        != shared_stack.runs(job["id"])[0]["weights_sha256"]
    )


def test_extending_redoes_nothing_and_publishes_the_best_of_all(
    shared_stack: Stack, file_id: str
) -> None:
    artifacts = {"publish": "best_run"}
    request = {"model": "tiny-bert", "recipe": QUICK, "artifacts": artifacts}
    job_id = shared_stack.create(file_id, **request, runs={"num_seeds": 2})["id"]
    first = shared_stack.wait(job_id)
    before = shared_stack.runs(job_id)
    answer = shared_stack.http.post(
        f"/v1/fine_tuning/jobs/{job_id}/extend", json={"num_seeds": 3}
    ).json()
    assert (answer["finished_at"], answer["status"] in ("queued", "running")) == (None, True)
    ended = shared_stack.wait(job_id)
    assert ended["status"] == "succeeded", shared_stack.logs()

    whole_id = shared_stack.create(file_id, **request, runs={"num_seeds": 5})["id"]
    whole = shared_stack.wait(whole_id)
    runs, at_once = shared_stack.runs(job_id), shared_stack.runs(whole_id)
    assert [{**run, "fine_tuned_model": None} for run in runs[:2]] == [
        {**run, "fine_tuned_model": None} for run in before
    ]
    assert [run["weights_sha256"] for run in runs] == [run["weights_sha256"] for run in at_once]
    assert [run["fine_tuned_model"] is None for run in runs] == [
        run["fine_tuned_model"] is None for run in at_once
    ]
    assert (ended["fine_tuned_model"], ended["stability"]["mean"]) == (
        first["fine_tuned_model"],
        whole["stability"]["mean"],
    )
    for name in ("predictions.csv", "metrics.csv"):
        mine, theirs = (read_result_file(shared_stack, job, name) for job in (ended, whole))
        assert [{**row, "run_id": ""} for row in mine] == [{**row, "run_id": ""} for row in theirs]
    gone = set(first["result_files"]) - set(ended["result_files"])
    assert len(gone) == 3
    assert all(shared_stack.http.get(f"/v1/files/{file}").status_code == 404 for file in gone)
    assert len(ended["result_files"]) == 3
    model = shared_stack.get(f"/v1/models/{ended['fine_tuned_model']}")
    assert model["run_id"] == ended["stability"]["best_run_id"]


def test_cancelling_an_extension_keeps_what_was_published(
    shared_stack: Stack, file_id: str
) -> None:
    job_id = shared_stack.create(file_id, model="tiny-bert", recipe=QUICK, runs={"num_seeds": 1})[
        "id"
    ]
    first = shared_stack.wait(job_id)
    shared_stack.http.post(f"/v1/fine_tuning/jobs/{job_id}/extend", json={"num_seeds": 100})
    shared_stack.http.post(f"/v1/fine_tuning/jobs/{job_id}/cancel")
    ended = shared_stack.wait(job_id)
    assert (ended["status"], ended["fine_tuned_model"]) == ("cancelled", first["fine_tuned_model"])
    assert shared_stack.get(f"/v1/models/{first['fine_tuned_model']}")["job_id"] == job_id
    assert shared_stack.runs(job_id)[0]["fine_tuned_model"] == first["fine_tuned_model"]
    files = [shared_stack.get(f"/v1/files/{file}")["filename"] for file in ended["result_files"]]
    assert sorted(files) == ["metrics.csv", "model.zip", "predictions.csv"]


def test_the_best_go_on_as_if_they_had_never_waited(shared_stack: Stack, file_id: str) -> None:
    request = {"model": "tiny-bert", "recipe": {**QUICK, "learning_rate": 0.001}}
    discard = {"start": 4, "keep": 2, "at_fraction": 0.5}
    job_id = shared_stack.create(file_id, **request, early_discard=discard)["id"]
    ended = shared_stack.wait(job_id)
    assert ended["status"] == "succeeded", shared_stack.logs()
    plain_id = shared_stack.create(file_id, **request, runs={"num_seeds": 4})["id"]
    shared_stack.wait(plain_id)

    decided, summary = ended["early_discard"], ended["runs_summary"]
    assert (decided["at_step"], summary["succeeded"], summary["discarded"]) == (12, 2, 2)
    runs, plain = shared_stack.runs(job_id), shared_stack.runs(plain_id)
    series = [shared_stack.metrics(plain_id, run["id"]) for run in plain]
    at_rung = [score for one in series for step, score in one["valid_accuracy"] if step == 12]
    by_score = sorted(range(4), key=lambda index: (-at_rung[index], index))
    assert decided["kept"] == sorted(by_score[:2])
    assert decided["mean_at_rung_all"] == pytest.approx(sum(at_rung) / 4)
    for run, other, expected in zip(runs, plain, series, strict=True):
        mine = shared_stack.metrics(job_id, run["id"])
        if run["index"] in decided["kept"]:
            assert (run["status"], run["weights_sha256"]) == ("succeeded", other["weights_sha256"])
            assert mine == expected
        else:
            assert (run["status"], run["step"], run["score"], run["weights_sha256"]) == (
                "discarded",
                12,
                None,
                None,
            )
            assert mine["train_loss"] == expected["train_loss"][:12]
    report = shared_stack.get(f"/v1/fine_tuning/jobs/{job_id}/stability")
    assert (report["n"], report["discarded"], report["planned"]) == (2, 2, 4)
    effect = report["early_discard"]
    assert (effect["mean_started"], effect["mean_kept"]) == tuple(
        pytest.approx(decided[f"mean_at_rung_{which}"]) for which in ("all", "kept")
    )
    assert any(
        message.startswith("Early discard at step 12: the best 2 of 4 runs")
        for message in list_events(shared_stack, job_id)
    )
