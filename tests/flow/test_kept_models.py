"""Kept models of a job: added with new seeds, deleted, and none at all."""

from typing import Any

import pytest

from cli.client import Client
from cli.errors import CliError
from cli.identifiers import resolve_model_id
from shared.domain.naming import build_model_id
from tests.flow.classifications import (
    QUICK,
    TEXTS,
    get_refusal,
)
from tests.flow.result_files import get_result_files
from tests.make import review_csv
from tests.stack import Stack


def test_added_seeds_join_the_ensemble(shared_stack: Stack, job: dict[str, Any]) -> None:
    before = {
        run["id"]: shared_stack.classify(model=run["fine_tuned_model"], input=TEXTS)
        for run in shared_stack.runs(job["id"])
    }
    answer = shared_stack.http.post(
        f"/v1/fine_tuning/jobs/{job['id']}/extend", json={"num_seeds": 1}
    )
    assert answer.status_code == 200, answer.text
    assert shared_stack.wait(job["id"])["fine_tuned_model"] == job["fine_tuned_model"]
    runs = shared_stack.runs(job["id"])
    names = {run["id"]: run["fine_tuned_model"] for run in runs}
    assert len(set(names.values())) == 4
    assert None not in names.values()
    for (
        run_id,
        earlier,
    ) in before.items():  # a new model id does not move a run's weights
        assert (
            shared_stack.classify(model=names[run_id], input=TEXTS)["results"] == earlier["results"]
        )
    listed = {
        model["id"]
        for model in shared_stack.get("/v1/models")["data"]
        if model["job_id"] == job["id"]
    }
    assert listed == set(names.values())
    used_ids = [job["id"], *names]
    folders = [str(path.parent) for path in (shared_stack.home / "storage").rglob("model.onnx")]
    assert sum(any(name in folder for name in used_ids) for folder in folders) == 4


def test_a_deleted_model_no_longer_classifies(shared_stack: Stack, job: dict[str, Any]) -> None:
    """Must be the last test with this job, because it deletes one of its models."""
    names = [run["fine_tuned_model"] for run in shared_stack.runs(job["id"])]
    [gone, *_] = [name for name in names if name != job["fine_tuned_model"]]
    shared_stack.classify(model=gone, input="a")
    copies = shared_stack.home / "cache" / "models"
    before = len(list(copies.iterdir()))
    assert shared_stack.http.delete(f"/v1/models/{gone}").status_code == 200
    assert get_refusal(shared_stack, model=gone, input="a") == (404, "model_not_found", "model")
    assert len(list(copies.iterdir())) == before - 1
    shared_stack.classify(model=job["fine_tuned_model"], input="a")


def test_a_job_that_keeps_no_model(shared_stack: Stack) -> None:
    file = shared_stack.upload(review_csv(60))
    asked = {
        "model": "tiny-bert",
        "recipe": QUICK,
        "runs": {"num_seeds": 2},
        "artifacts": {"keep": "none"},
    }
    job = shared_stack.wait(shared_stack.create(file["id"], **asked)["id"])
    for seeds in (2, 3):
        assert (job["status"], job["fine_tuned_model"]) == ("succeeded", None)
        assert (job["stability"]["n"], job["stability"]["fine_tuned_model"]) == (seeds, None)
        assert list(get_result_files(shared_stack, job)) == ["metrics.csv"]
        runs = shared_stack.runs(job["id"])
        assert [run["fine_tuned_model"] for run in runs] == [None] * seeds
        assert all(run["weights_sha256"] for run in runs)
        assert shared_stack.get(f"/v1/fine_tuning/jobs/{job['id']}/checkpoints")["data"] == []
        for run in runs:
            assert not list(
                (shared_stack.home / "storage" / "runs").glob(f"{run['id']}/**/*.safetensors")
            )
        if seeds == 2:
            shared_stack.http.post(
                f"/v1/fine_tuning/jobs/{job['id']}/extend", json={"num_seeds": 1}
            )
            job = shared_stack.wait(job["id"])
    assert get_refusal(
        shared_stack, model=build_model_id("tiny-bert", "local", None, job["id"]), input="a film"
    )[:2] == (
        404,
        "model_not_found",
    )
    with (
        Client(str(shared_stack.http.base_url)) as client,
        pytest.raises(CliError, match="has no model"),
    ):
        resolve_model_id(client, job["id"])
