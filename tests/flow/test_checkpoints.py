"""Listed checkpoints are used: retrieved, classified with, downloaded and trained from."""

import io
import json
import zipfile
from typing import Any

import pytest

from cli.client import Client
from cli.download import find_archive
from cli.errors import CliError
from cli.identifiers import resolve_model_id
from tests.flow.classifications import QUICK, TEXTS
from tests.flow.result_files import get_result_files
from tests.make import review_csv
from tests.stack import Stack

JOBS = "/v1/fine_tuning/jobs"


@pytest.fixture(scope="module")
def checkpoints(shared_stack: Stack, job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The job's checkpoints by run."""
    listed = shared_stack.get(f"{JOBS}/{job['id']}/checkpoints")["data"]
    return {item["run_id"]: item for item in listed}


def test_each_kept_run_has_a_checkpoint_with_its_recorded_losses(
    shared_stack: Stack, job: dict[str, Any], checkpoints: dict[str, dict[str, Any]]
) -> None:
    runs = {run["id"]: run for run in shared_stack.runs(job["id"])}
    assert checkpoints.keys() == runs.keys()
    for run_id, item in checkpoints.items():
        step, metrics = runs[run_id]["best_step"], item["metrics"]
        assert (item["step_number"], metrics["step"]) == (step, step)
        series = shared_stack.metrics(job["id"], run_id)
        for name in ("train_loss", "valid_loss", "valid_accuracy"):
            recorded = {int(at): value for at, value in series[name]}
            # an evaluation during training may be in bfloat16, the chosen checkpoint's is not
            assert metrics[name] == pytest.approx(recorded[step], abs=1e-3)
        assert metrics["full_valid_loss"] == metrics["valid_loss"]
        assert metrics["valid_mean_token_accuracy"] == runs[run_id]["validation_score"]


def test_a_checkpoint_classifies_like_the_model_of_its_run(
    shared_stack: Stack, job: dict[str, Any], checkpoints: dict[str, dict[str, Any]]
) -> None:
    for run in shared_stack.runs(job["id"]):
        name = checkpoints[run["id"]]["fine_tuned_model_checkpoint"]
        assert shared_stack.get(f"/v1/models/{name}")["run_id"] == run["id"]
        own = shared_stack.classify(model=run["fine_tuned_model"], input=TEXTS)
        by_checkpoint = shared_stack.classify(model=name, input=TEXTS)
        assert by_checkpoint["model"] == name
        assert by_checkpoint["members"] == [run["fine_tuned_model"]]
        assert by_checkpoint["results"] == own["results"]


def test_the_checkpoint_of_the_best_run_is_downloaded(
    shared_stack: Stack, job: dict[str, Any], checkpoints: dict[str, dict[str, Any]]
) -> None:
    with Client(str(shared_stack.http.base_url)) as client:
        archive = find_archive(client, resolve_model_id(client, job["id"]))
        for run in shared_stack.runs(job["id"]):
            name = checkpoints[run["id"]]["fine_tuned_model_checkpoint"]
            if run["fine_tuned_model"] == job["fine_tuned_model"]:
                assert find_archive(client, name) == archive
            else:
                with pytest.raises(CliError, match="cannot be downloaded"):
                    find_archive(client, name)


def test_jobs_start_from_the_weights_that_a_name_stands_for(
    shared_stack: Stack, job: dict[str, Any], checkpoints: dict[str, dict[str, Any]]
) -> None:
    runs = {run["fine_tuned_model"]: run for run in shared_stack.runs(job["id"])}
    best = runs[job["fine_tuned_model"]]
    other = next(run for name, run in runs.items() if name != job["fine_tuned_model"])
    sources = {
        job["fine_tuned_model"]: best,
        f"{job['fine_tuned_model']}:seed-{best['seed']}": best,
        checkpoints[best["id"]]["fine_tuned_model_checkpoint"]: best,
        other["fine_tuned_model"]: other,
        checkpoints[other["id"]]["fine_tuned_model_checkpoint"]: other,
    }
    file_id = shared_stack.upload(review_csv(60))["id"]
    asked = {"recipe": QUICK | {"max_steps": 2}, "runs": {"num_seeds": 1}}
    created = {
        name: shared_stack.create(file_id, model=name, **asked)["id"]
        for name in ("tiny-bert", *sources)
    }
    refused = shared_stack.http.delete(f"{JOBS}/{job['id']}").json()["error"]["code"]
    first_losses: dict[str, float] = {}
    trained_weights: dict[str, str] = {}
    for name, job_id in created.items():
        ended = shared_stack.wait(job_id)
        assert ended["status"] == "succeeded", shared_stack.logs()
        [run] = shared_stack.runs(job_id)
        first_losses[name] = shared_stack.metrics(job_id, run["id"])["train_loss"][0][1]
        trained_weights[name] = run["weights_sha256"]
        provenance = _read_provenance(shared_stack, ended)
        assert provenance["base_model"] == name
        expected = sources[name]["weights_sha256"] if name in sources else None
        assert provenance["base_weights_sha256"] == expected
        assert ended["fine_tuned_model"].startswith("ft:tiny-bert:local::")
    assert refused == "model_in_use"
    for values in (first_losses, trained_weights):
        by_source = {
            source["id"]: {values[name] for name in sources if sources[name] is source}
            for source in (best, other)
        }
        assert [len(found) for found in by_source.values()] == [1, 1]
        assert len({values["tiny-bert"], *by_source[best["id"]], *by_source[other["id"]]}) == 3


def _read_provenance(stack: Stack, job: dict[str, Any]) -> dict[str, Any]:
    archive = zipfile.ZipFile(io.BytesIO(get_result_files(stack, job)["model.zip"]))
    return dict(json.loads(archive.read("evenkeel.json")))
