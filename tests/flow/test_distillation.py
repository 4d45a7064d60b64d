"""A job of three seeds distills its ensemble into one model, which is published and served."""

import io
import json
import zipfile
from typing import Any

import pytest

from tests.flow.classifications import QUICK, TEXTS
from tests.flow.result_files import get_result_files
from tests.make import review_csv
from tests.stack import Stack


@pytest.fixture(scope="module")
def distilled(shared_stack: Stack) -> dict[str, Any]:
    file = shared_stack.upload(review_csv(120))
    created = shared_stack.create(
        file["id"],
        model="tiny-bert",
        recipe={**QUICK, "max_steps": 60, "select": "greedy_average"},
        split={"validation_fraction": 0.2, "test_fraction": 0.2},
        runs={"num_seeds": 3},
        artifacts={"publish": "distilled"},
    )
    assert created["progress"]["steps_total"] == 4 * 60, "the distillation counts from the start"
    ended = shared_stack.wait(created["id"], 300)
    assert ended["status"] == "succeeded", shared_stack.logs()
    return ended


def get_distillation(stack: Stack, job: dict[str, Any]) -> dict[str, Any]:
    runs = stack.get(f"/v1/fine_tuning/jobs/{job['id']}/runs", purpose="distillation")["data"]
    [run] = runs
    return dict(run)


def test_the_distillation_is_a_run_but_not_a_seed(
    shared_stack: Stack, distilled: dict[str, Any]
) -> None:
    run = get_distillation(shared_stack, distilled)
    assert (run["status"], run["step"]) == ("succeeded", 60)
    mains = shared_stack.runs(distilled["id"])
    assert len(mains) == distilled["runs_summary"]["total"] == 3
    assert all(main["finished_at"] <= run["started_at"] + 1 for main in mains)
    tokens = sum(main["trained_tokens"] for main in mains) + run["trained_tokens"]
    assert distilled["trained_tokens"] == tokens


def test_its_scores_are_in_the_report_and_it_is_published(
    shared_stack: Stack, distilled: dict[str, Any]
) -> None:
    run = get_distillation(shared_stack, distilled)
    report = shared_stack.get(f"/v1/fine_tuning/jobs/{distilled['id']}/stability")
    sound = [main["id"] for main in shared_stack.runs(distilled["id"]) if not main["degenerate"]]
    assert report["distilled"] == {
        "run_id": run["id"],
        "teachers": sound,
        "unlabelled_texts": None,
        "score": run["test_score"],
        "validation_score": run["validation_score"],
        "test_score": run["test_score"],
    }
    assert report["published"]["kind"] == "distilled"
    assert report["published"]["score"] == run["test_score"]
    assert report["n"] == 3
    assert "distilled from" in report["verdict"]["text"]
    assert report["average"]["runs"] == 3
    page = shared_stack.http.get(f"/v1/fine_tuning/jobs/{distilled['id']}/stability.html").text
    assert "one model distilled from the ensemble" in page


def test_the_model_is_served_alone_and_downloaded_with_its_card(
    shared_stack: Stack, distilled: dict[str, Any]
) -> None:
    name, run = distilled["fine_tuned_model"], get_distillation(shared_stack, distilled)
    answer = shared_stack.classify(model=name, input=TEXTS)
    assert answer["members"] == [name]
    model = shared_stack.get(f"/v1/models/{name}")
    assert (model["published"], model["run_id"]) == ("distilled", run["id"])
    assert model in shared_stack.get("/v1/models")["data"]
    archive = zipfile.ZipFile(io.BytesIO(get_result_files(shared_stack, distilled)["model.zip"]))
    assert "It learned the mean predictions of" in archive.read("README.md").decode()
    provenance = json.loads(archive.read("evenkeel.json"))
    assert provenance["run_id"] == run["id"]
    assert provenance["weights_sha256"] == run["weights_sha256"]
    kept = [main["fine_tuned_model"] for main in shared_stack.runs(distilled["id"])]
    assert kept == [None, None, None]


def test_a_job_that_kept_a_distilled_model_alone_cannot_grow(
    shared_stack: Stack, distilled: dict[str, Any]
) -> None:
    answer = shared_stack.http.post(
        f"/v1/fine_tuning/jobs/{distilled['id']}/extend", json={"num_seeds": 1}
    )
    assert answer.json()["error"]["code"] == "job_not_extendable"


def test_one_seed_cannot_be_distilled(shared_stack: Stack) -> None:
    file = shared_stack.upload(review_csv(60))
    created = shared_stack.create(
        file["id"],
        model="tiny-bert",
        recipe=QUICK,
        runs={"num_seeds": 1},
        artifacts={"publish": "distilled"},
    )
    ended = shared_stack.wait(created["id"])
    assert ended["status"] == "succeeded", shared_stack.logs()
    assert ended["stability"]["published"]["kind"] == "best_run"
    assert "distilled_not_published" in {one["code"] for one in ended["stability"]["warnings"]}
    assert get_distillation(shared_stack, ended)["status"] == "cancelled"


def test_unlabelled_texts_are_learned_besides_the_training_rows(shared_stack: Stack) -> None:
    labelled, more = review_csv(60), review_csv(200, seed=5).decode().splitlines()
    texts = [line.rsplit(",", 1)[0] for line in more]  # the line "text", and no labels
    copies = [line.rsplit(",", 1)[0] for line in labelled.decode().splitlines()[1:]]
    unlabelled = shared_stack.upload("\n".join([*texts, *copies[:20]]).encode(), "more.csv")
    recipe = {**QUICK, "max_steps": 30, "train_batch_size": 8}
    created = shared_stack.create(
        shared_stack.upload(labelled)["id"],
        model="tiny-bert",
        recipe=recipe,
        unlabelled_file=unlabelled["id"],
        runs={"num_seeds": 2},
        artifacts={"publish": "distilled", "keep": "all_runs"},
    )
    rows = created["dataset"]["rows"]
    assert 200 <= rows["unlabelled"] < 220
    assert "unlabelled_texts_unread" in {one["code"] for one in created["warnings"]}
    ended = shared_stack.wait(created["id"], 300)
    assert ended["status"] == "succeeded", shared_stack.logs()
    run = get_distillation(shared_stack, ended)
    assert (run["status"], run["step"]) == ("succeeded", 30)
    report = ended["stability"]
    if report["distilled"] is not None:  # a short run on so few rows may be degenerate
        assert report["distilled"]["unlabelled_texts"] == 30 * 8 - rows["train"]
    events = shared_stack.get(f"/v1/fine_tuning/jobs/{ended['id']}/events", limit=100)["data"]
    learned = f"on {30 * 8 - rows['train']} unlabelled texts as well"
    assert any(learned in event["message"] for event in events)
