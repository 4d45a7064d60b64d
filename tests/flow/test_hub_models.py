"""Jobs that start from a model of a simulated hub, with the official client, the command line, and
workers that are killed while they download.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.hub import PlayedHub, played_hub
from tests.hub_models import ModelHub
from tests.make import review_csv
from tests.servers import redis_server, wait_until
from tests.stack import Stack, running_stack

MODEL = "acme/tiny-bert"
WEIGHTS = "model.safetensors"
SECONDS = 300.0  # for a job, the start of the trainers included
RECIPE = {"max_steps": 4, "learning_rate": 0.005, "train_batch_size": 16, "reinit_layers": 1}


@pytest.fixture(scope="module")
def service_hub() -> Iterator[PlayedHub]:
    with played_hub() as played:
        yield played


@pytest.fixture
def hub(service_hub: PlayedHub, model_dir: Path, request: pytest.FixtureRequest) -> PlayedHub:
    """The service's hub, as if it were new, with a commit that no other test has downloaded."""
    service_hub.models = ModelHub()
    service_hub.models.add(MODEL, model_dir / "tiny-bert", message=request.node.name)
    return service_hub


@pytest.fixture(scope="module")
def stack(
    service_hub: PlayedHub, tmp_path_factory: pytest.TempPathFactory, model_dir: Path
) -> Iterator[Stack]:
    """A service with two slots that may download from the simulated hub."""
    home = tmp_path_factory.mktemp("hub-stack")
    with (
        redis_server() as redis,
        running_stack(
            home,
            f"sqlite:///{home / 'test.db'}",
            redis,
            model_dir,
            EVENKEEL_LEASE_SECONDS="10",
            EVENKEEL_HUB_MODELS="acme",
            EVENKEEL_HUB_ENDPOINT=service_hub.url,
        ) as running,
    ):
        running.http.timeout = SECONDS  # the first report of a process loads scipy
        yield running


def find_cached_folder(stack: Stack, hub: PlayedHub) -> Path:
    """Return the place of the model in the service's cache, whether or not it is there."""
    commit = hub.models.repositories[MODEL].commit
    return stack.home / "cache" / "hub" / "models" / MODEL.replace("/", "--") / commit


def test_from_id_to_model_with_the_official_client(stack: Stack, hub: PlayedHub) -> None:
    client = OpenAI(base_url=f"http://127.0.0.1:{stack.port}/v1", api_key="none")
    file = client.files.create(file=("reviews.csv", review_csv(60)), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(
        training_file=file.id,
        model=MODEL,
        extra_body={"model_revision": "main", "recipe": RECIPE, "runs": {"num_seeds": 2}},
    )
    assert job.status == "validating_files"
    ended = stack.wait(job.id, SECONDS)
    assert ended["status"] == "succeeded", stack.logs()
    commit = hub.models.repositories[MODEL].commit
    assert ended["resolved_model_revision"] == commit
    model = client.models.retrieve(ended["fine_tuned_model"])
    assert model.id.startswith(f"ft:{MODEL}:")
    answer = stack.classify(model=model.id, input=["a good film"])
    assert answer["results"][0]["label"]["predicted"] in ("good", "bad")

    hub.asked.clear()
    hub.models.stored.clear()
    second = train(stack, file.id, runs={"num_seeds": 1})
    tuned = train(stack, file.id, model=model.id, runs={"num_seeds": 1})
    assert (second["status"], tuned["status"]) == ("succeeded", "succeeded"), stack.logs()
    assert hub.models.stored == []  # nothing is downloaded again
    assert tuned["resolved_model_revision"] == commit


def test_the_command_line_shows_the_download(stack: Stack, hub: PlayedHub, tmp_path: Path) -> None:
    data = tmp_path / "reviews.csv"
    data.write_bytes(review_csv(60))
    command = [
        *(sys.executable, "-m", "cli", "train", str(data), "--model", MODEL, "--revision", "main"),
        *("--seeds", "1", "--max-steps", "6", "--learning-rate", "0.005", "--batch-size", "16"),
        *("--reinit-layers", "1", "--url", f"http://127.0.0.1:{stack.port}"),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr + stack.logs()
    assert f"Downloading {MODEL} at " in done.stdout
    assert "Downloaded and verified" in done.stdout


def test_twenty_runs_on_two_slots_make_one_download(stack: Stack, hub: PlayedHub) -> None:
    ended = train(stack, stack.upload(review_csv(60))["id"], runs={"num_seeds": 20})
    assert ended["runs_summary"]["succeeded"] == 20, stack.logs()
    assert hub.models.stored == [WEIGHTS]


def test_a_kill_in_mid_download_leaves_no_broken_model(stack: Stack, hub: PlayedHub) -> None:
    hub.models.drip_s = 0.05
    file_id = stack.upload(review_csv(60))["id"]
    job = stack.create(file_id, model=MODEL, recipe=RECIPE, runs={"num_seeds": 1})
    parts = stack.home / "cache" / "hub" / "partial"
    wait_until(
        lambda: any(part.stat().st_size > 20_000 for part in parts.rglob(f"{WEIGHTS}.part")),
        description="a part of the weights",
    )
    stack.kill("worker.maintenance.sweeper")
    assert not find_cached_folder(stack, hub).exists()
    assert stack.job(job["id"])["status"] == "validating_files"
    hub.models.drip_s = 0
    stack.start("worker.maintenance.sweeper")
    assert stack.wait(job["id"], SECONDS)["status"] == "succeeded", stack.logs()
    (resumed,) = hub.models.ranges
    assert int(resumed.removeprefix("bytes=").rstrip("-")) > 20_000


def test_a_job_of_a_hub_that_is_down_trains_once_it_answers(stack: Stack, hub: PlayedHub) -> None:
    hub.models.is_down = True
    file_id = stack.upload(review_csv(60))["id"]
    job = stack.create(file_id, model=MODEL, recipe=RECIPE, runs={"num_seeds": 1})
    assert (job["status"], job["resolved_model_revision"]) == ("validating_files", None)
    stack.kill("api")
    hub.models.is_down = False
    stack.start("api")
    ended = stack.wait(job["id"], SECONDS)
    assert ended["status"] == "succeeded", stack.logs()
    assert ended["resolved_model_revision"] == hub.models.repositories[MODEL].commit


def train(stack: Stack, file_id: str, **request: Any) -> dict[str, Any]:
    job = stack.create(file_id, **{"model": MODEL, "recipe": RECIPE, **request})
    return stack.wait(job["id"], SECONDS)
