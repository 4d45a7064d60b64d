"""A default job of three seeds publishes an ensemble; what is served is what was scored."""

import csv
import io
import shutil
import statistics
from pathlib import Path
from typing import Any

import pytest

from cli.client import Client
from cli.download import download_model
from tests.flow.classifications import QUICK, TEXTS, get_refusal
from tests.flow.result_files import get_result_files
from tests.make import review_csv
from tests.stack import Stack


@pytest.fixture(scope="module")
def published(shared_stack: Stack) -> dict[str, Any]:
    """A job of three sound seeds that publishes their ensemble and sets nothing about keeping."""
    file = shared_stack.upload(review_csv(120))
    created = shared_stack.create(
        file["id"],
        model="tiny-bert",
        recipe={**QUICK, "max_steps": 60},
        validation_file=shared_stack.upload(review_csv(40, seed=1))["id"],
        runs={"num_seeds": 3},
        artifacts={"publish": "ensemble"},
    )
    ended = shared_stack.wait(created["id"])
    assert ended["status"] == "succeeded", shared_stack.logs()
    return ended


def list_members(stack: Stack, job: dict[str, Any]) -> list[str]:
    return [run["fine_tuned_model"] for run in stack.runs(job["id"]) if not run["degenerate"]]


def test_the_published_id_answers_with_the_mean_of_its_members(
    shared_stack: Stack, published: dict[str, Any]
) -> None:
    members = list_members(shared_stack, published)
    assert len(members) >= 2
    answer = shared_stack.classify(model=published["fine_tuned_model"], input=TEXTS)
    assert sorted(answer["members"]) == sorted(members)
    by_seed = [
        run["init_seed"] for run in shared_stack.runs(published["id"]) if not run["degenerate"]
    ]
    alone = [
        shared_stack.classify(model=f"{published['fine_tuned_model']}:seed-{seed}", input=TEXTS)
        for seed in by_seed
    ]
    assert all(len(one["members"]) == 1 for one in alone)
    for row, result in enumerate(answer["results"]):
        scores = [one["results"][row]["label"]["scores"]["good"] for one in alone]
        assert result["label"]["scores"]["good"] == pytest.approx(statistics.fmean(scores))
        assert result["label"]["disagreement"] is not None


def test_the_stored_score_is_that_of_the_served_answers(
    shared_stack: Stack, published: dict[str, Any]
) -> None:
    rows = list(csv.DictReader(io.StringIO(review_csv(40, seed=1).decode())))
    answer = shared_stack.classify(
        model=published["fine_tuned_model"], input=[row["text"] for row in rows]
    )
    right = [
        result["label"]["predicted"] == row["label"]
        for result, row in zip(answer["results"], rows, strict=True)
    ]
    report = shared_stack.get(f"/v1/fine_tuning/jobs/{published['id']}/stability")
    assert published["metric"] == "accuracy"
    assert report["ensemble"]["score"] == pytest.approx(statistics.fmean(right))
    assert report["published"]["kind"] == "ensemble"
    assert report["published"]["score"] == report["ensemble"]["score"]
    best = next(run for run in report["runs"] if run["run_id"] == report["best_run_id"])
    assert report["best_run_score"] == best["score"]
    assert "ensemble of" in report["verdict"]["text"]
    assert published["stability"]["ensemble"] == report["ensemble"]


def test_models_name_the_members(shared_stack: Stack, published: dict[str, Any]) -> None:
    listed = {model["id"]: model for model in shared_stack.get("/v1/models")["data"]}
    members = list_members(shared_stack, published)
    entry = listed[published["fine_tuned_model"]]
    assert entry["published"] == "ensemble"
    assert sorted(entry["members"]) == sorted(members)
    assert shared_stack.get(f"/v1/models/{entry['id']}") == entry
    for name in set(members) - {entry["id"]}:
        assert (listed[name]["published"], listed[name]["members"]) == (None, None)
    alone = shared_stack.get(f"/v1/models/{entry['id']}:seed-0")
    assert (alone["published"], alone["members"]) == (None, None)


def test_a_download_is_the_best_run_and_says_so(
    shared_stack: Stack, published: dict[str, Any], tmp_path: Path
) -> None:
    with Client(str(shared_stack.http.base_url)) as client:
        download_model(client, published["fine_tuned_model"], tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "**This folder is the best run alone.**" in card
    score = published["stability"]["ensemble"]["score"]
    assert f"accuracy {score:.4f} on the validation rows" in card
    assert "model.zip" in get_result_files(shared_stack, published)
    shutil.rmtree(tmp_path / "model")


def test_members_are_deleted_with_the_ensemble_and_not_before(
    shared_stack: Stack, published: dict[str, Any]
) -> None:
    """Must be the last test with this job, because it deletes its models."""
    name = published["fine_tuned_model"]
    members = list_members(shared_stack, published)
    other = next(member for member in members if member != name)
    refused = shared_stack.http.delete(f"/v1/models/{other}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "model_in_use")
    shared_stack.classify(model=name, input="a film")
    assert shared_stack.http.delete(f"/v1/models/{name}").status_code == 200
    for member in members:
        assert get_refusal(shared_stack, model=member, input="a")[1] == "model_not_found"
    assert shared_stack.http.delete(f"/v1/fine_tuning/jobs/{published['id']}").status_code == 200
    storage = shared_stack.home / "storage"
    for run_id in published["stability"]["ensemble"]["run_ids"]:
        assert not list(storage.glob(f"runs/{run_id}/**/*.safetensors"))
        assert not (storage / "predictions" / f"{run_id}.json").exists()


@pytest.mark.parametrize("keep", ["none", "best_run"])
def test_an_ensemble_that_is_not_to_be_kept_is_refused(shared_stack: Stack, keep: str) -> None:
    file = shared_stack.upload(review_csv(60))
    answer = shared_stack.http.post(
        "/v1/fine_tuning/jobs",
        json={
            "training_file": file["id"],
            "model": "tiny-bert",
            "artifacts": {"keep": keep, "publish": "ensemble"},
        },
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "artifacts"


def test_a_default_job_publishes_what_its_validation_rows_favor(shared_stack: Stack) -> None:
    file = shared_stack.upload(review_csv(120))
    created = shared_stack.create(
        file["id"],
        model="tiny-bert",
        recipe={**QUICK, "max_steps": 60},
        runs={"num_seeds": 3},
    )
    stability = shared_stack.wait(created["id"])["stability"]
    runs = [run for run in shared_stack.runs(created["id"]) if not run["degenerate"]]
    scores = [run["validation_score"] for run in runs]
    assert len(scores) == 3
    limit = max(statistics.fmean(scores), max(scores) - statistics.stdev(scores))
    expected = "ensemble" if stability["ensemble"]["score"] >= limit else "best_run"
    assert stability["published"]["kind"] == expected
    kept = [run for run in runs if run["fine_tuned_model"] is not None]
    assert len(kept) == (3 if expected == "ensemble" else 1)
