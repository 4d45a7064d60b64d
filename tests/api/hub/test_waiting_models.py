"""Jobs that are created while the hub does not answer: they wait, are planned once it does, and
fail in words once the bound is over.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from shared.encoders.hub import retries
from shared.encoders.hub.download import fetch_model
from shared.encoders.hub.resolution import HubModels
from shared.infra.settings import Settings
from tests.api.hub.conftest import Service
from tests.api.hub.requests import JOBS
from tests.api.hub.test_models import MODEL, UNFIT, post_job
from tests.hub import PlayedHub
from tests.hub_models import ModelRepository
from tests.make import review_csv
from tests.servers import wait_until

FAST = {"hub_models": "acme", "tick_seconds": 0.05}


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_DELAY_S", 0.1)
    monkeypatch.setattr(retries, "MAX_DELAY_S", 0.2)


@pytest.fixture
def http(service: Service) -> Iterator[TestClient]:
    with service(**FAST) as client:
        yield client


@pytest.fixture
def repository(hub: PlayedHub, model_dir: Path, request: pytest.FixtureRequest) -> ModelRepository:
    """A model on a hub that is down, with a commit that no other test has resolved."""
    hub.models.is_down = True
    return hub.models.add(MODEL, model_dir / "tiny-bert", message=request.node.name)


@pytest.fixture
def file_id(http: TestClient) -> str:
    answer = http.post("/v1/files", files={"file": ("reviews.csv", review_csv(40))})
    return str(answer.json()["id"])


def get_job(http: TestClient, job_id: str) -> dict[str, Any]:
    return dict(http.get(f"{JOBS}/{job_id}").json())


def list_messages(http: TestClient, job_id: str) -> list[str]:
    events = http.get(f"{JOBS}/{job_id}/events", params={"limit": 100}).json()["data"]
    return [event["message"] for event in reversed(events)]


def list_runs(http: TestClient, job_id: str, **query: str) -> list[dict[str, Any]]:
    return list(http.get(f"{JOBS}/{job_id}/runs", params=query).json()["data"])


def wait_for(
    http: TestClient, job_id: str, condition: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    wait_until(lambda: condition(get_job(http, job_id)), description="the job's state")
    return get_job(http, job_id)


def is_resolved(job: dict[str, Any]) -> bool:
    return job["resolved_model_revision"] is not None


def has_failed(job: dict[str, Any]) -> bool:
    return bool(job["status"] == "failed")


def test_a_job_waits_for_the_hub_and_is_planned_once_it_answers(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, file_id: str
) -> None:
    answer = post_job(http, file_id, model_revision="main")
    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert (job["status"], job["resolved_model_revision"]) == ("validating_files", None)
    assert (job["resolved_recipe"], job["pilots"]) == (None, None)
    assert job["dataset"].get("max_positions") is None
    assert job["runs_summary"]["queued"] == job["runs_summary"]["total"] == 5
    runs = [run["id"] for run in list_runs(http, job["id"])]
    created, first_wait = list_messages(http, job["id"])[:2]
    assert created.endswith(f"which is resolved once the hub has described {MODEL}.")
    assert first_wait.endswith("Next attempt in 0 seconds.")
    assert http.get(f"{JOBS}/{job['id']}/stability").status_code == 200
    assert http.get(f"{JOBS}/{job['id']}/stability.html").status_code == 200
    wait_until(lambda: len(list_messages(http, job["id"])) > 3, description="further attempts")

    hub.models.is_down = False
    resolved = wait_for(http, job["id"], is_resolved)
    assert resolved["resolved_model_revision"] == repository.commit
    assert resolved["status"] == "validating_files"  # until a worker has downloaded the model
    assert resolved["resolved_recipe"]["max_steps"] == 8
    assert [run["id"] for run in list_runs(http, job["id"])] == runs
    message = list_messages(http, job["id"])[-1]
    assert message.startswith(f"The model was resolved to {MODEL} at {repository.commit[:7]}: 5 ru")
    assert hub.models.stored == []
    at_once = post_job(http, file_id, model_revision="main").json()
    changing = {"id", "created_at", "stability"}
    assert {name: value for name, value in resolved.items() if name not in changing} == {
        name: value for name, value in at_once.items() if name not in changing
    }


def test_a_job_whose_storage_is_away_when_the_hub_answers_waits_for_it(
    http: TestClient,
    hub: PlayedHub,
    repository: ModelRepository,
    file_id: str,
    settings: Settings,
) -> None:
    job = post_job(http, file_id, model_revision="main").json()
    storage = settings.home / "storage"
    storage.rename(settings.home / "unmounted")
    hub.models.is_down = False
    wait_until(
        lambda: any("storage" in message for message in list_messages(http, job["id"])),
        description="an attempt without the storage",
    )
    assert get_job(http, job["id"])["status"] == "validating_files"
    (settings.home / "unmounted").rename(storage)
    resolved = wait_for(http, job["id"], is_resolved)
    assert resolved["resolved_model_revision"] == repository.commit


def test_a_model_in_the_cache_is_queued_once_it_is_resolved(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, settings: Settings, file_id: str
) -> None:
    hub.models.is_down = False
    with_hub = settings.model_copy(update={"hub_endpoint": hub.url, "hub_models": "acme"})
    fetch_model(with_hub, HubModels(with_hub).resolve(MODEL, None), lambda _received: None)
    hub.models.is_down = True
    job = post_job(http, file_id, task={"max_seq_length": 16}).json()
    assert job["status"] == "validating_files"
    hub.models.is_down = False
    resolved = wait_for(http, job["id"], lambda job: job["status"] == "queued")
    assert resolved["resolved_model_revision"] == repository.commit


def test_pilots_are_added_for_automatic_settings(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, file_id: str
) -> None:
    automatic = {"max_steps": "auto", "learning_rate": "auto"}
    job = post_job(http, file_id, recipe=automatic, runs={"num_seeds": 2}).json()
    assert list_runs(http, job["id"], purpose="pilot") == []
    hub.models.is_down = False
    resolved = wait_for(http, job["id"], is_resolved)
    at_once = post_job(http, file_id, recipe=automatic, runs={"num_seeds": 2}).json()
    assert resolved["pilots"] == at_once["pilots"]
    pilots, expected = (
        [
            (run["index"], run["total_steps"], run["seed"])
            for run in list_runs(http, job_id, purpose="pilot")
        ]
        for job_id in (job["id"], at_once["id"])
    )
    assert pilots == expected != []


@pytest.mark.parametrize("kind", UNFIT)
def test_an_unfit_model_fails_the_job_with_the_sentence_of_a_refusal(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, file_id: str, kind: str
) -> None:
    job = post_job(http, file_id).json()
    changes, _ = UNFIT[kind]
    files = {**repository.files, **changes}
    repository.files = {path: content for path, content in files.items() if content is not None}
    hub.models.is_down = False
    failed = wait_for(http, job["id"], has_failed)
    assert failed["error"] == {
        name: value
        for name, value in post_job(http, file_id).json()["error"].items()
        if name in ("code", "message", "param")
    }
    assert {run["status"] for run in list_runs(http, job["id"])} == {"cancelled"}
    assert list_messages(http, job["id"])[-1] == f"The job failed: {failed['error']['message']}"


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"recipe": {"reinit_layers": 90}}, "recipe.reinit_layers"),
        ({"task": {"max_seq_length": 512}}, "task.max_seq_length"),
        ({"model_revision": "absent"}, "model_revision"),
    ],
)
def test_a_request_that_does_not_fit_the_model_fails_with_its_field(
    http: TestClient,
    hub: PlayedHub,
    repository: ModelRepository,
    file_id: str,
    request_: dict[str, Any],
    param: str,
) -> None:
    job = post_job(http, file_id, **request_).json()
    assert job["status"] == "validating_files"
    hub.models.is_down = False
    failed = wait_for(http, job["id"], has_failed)
    refused = post_job(http, file_id, **request_).json()["error"]
    assert failed["error"]["param"] == refused["param"] == param
    assert failed["error"]["message"] == refused["message"]


def test_what_does_not_depend_on_the_model_is_refused_at_once(
    http: TestClient, repository: ModelRepository, file_id: str
) -> None:
    for changes, status, param in (
        ({"task": {"label_column": "absent"}}, 400, "task.label_column"),
        ({"training_file": "file-absent"}, 404, "training_file"),
        ({"runs": {"num_seeds": 150}, "split": {"mode": "kfold", "k": 5}}, 400, "runs"),
        ({"training_file": "hf://someone/absent"}, 404, "training_file"),
    ):
        answer = post_job(http, file_id, **changes)
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_the_bound_ends_the_wait_in_words_and_a_retried_run_asks_again(
    service: Service, hub: PlayedHub, repository: ModelRepository
) -> None:
    with service(**FAST, hub_retry_seconds=0.35) as http:
        answer = http.post("/v1/files", files={"file": ("reviews.csv", review_csv(40))})
        file_id = answer.json()["id"]
        job = post_job(http, file_id, runs={"num_seeds": 2}).json()
        failed = wait_for(http, job["id"], has_failed)
        assert failed["error"]["code"] == "hub_not_reachable"
        assert failed["error"]["message"].endswith(
            "The model could not be resolved in 3 attempts; create the job again once the hub can "
            "be reached."
        )
        run = list_runs(http, job["id"])[0]
        assert http.post(f"{JOBS}/{job['id']}/runs/{run['id']}/retry").status_code == 200
        again = get_job(http, job["id"])
        assert (again["status"], again["error"]) == ("validating_files", None)
        hub.models.is_down = False
        resolved = wait_for(http, job["id"], is_resolved)
        assert resolved["runs_summary"]["queued"] == 1


def test_a_waiting_job_is_cancelled_deleted_and_leaves_its_file(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, file_id: str
) -> None:
    job = post_job(http, file_id).json()
    assert http.delete(f"/v1/files/{file_id}").json()["error"]["code"] == "file_in_use"
    assert http.delete(f"{JOBS}/{job['id']}").status_code == 400
    assert http.post(f"{JOBS}/{job['id']}/cancel").json()["status"] == "cancelled"
    hub.models.is_down = False
    assert http.delete(f"{JOBS}/{job['id']}").status_code == 200
    assert http.delete(f"/v1/files/{file_id}").status_code == 200


def test_a_paused_job_is_left_alone_until_it_is_resumed(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, file_id: str
) -> None:
    job = post_job(http, file_id).json()
    assert http.post(f"{JOBS}/{job['id']}/pause").json()["status"] == "paused"
    other = post_job(http, file_id, suffix="other").json()
    hub.models.is_down = False
    wait_for(http, other["id"], is_resolved)
    assert not is_resolved(get_job(http, job["id"]))
    assert http.post(f"{JOBS}/{job['id']}/resume").json()["status"] == "validating_files"
    wait_for(http, job["id"], is_resolved)


def test_runs_cancelled_or_added_meanwhile_stay_so(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, file_id: str
) -> None:
    job = post_job(http, file_id, runs={"num_seeds": 2}).json()
    first = list_runs(http, job["id"])[0]
    http.post(f"{JOBS}/{job['id']}/runs/{first['id']}/cancel")
    extended = http.post(f"{JOBS}/{job['id']}/extend", json={"num_seeds": 2})
    assert extended.status_code == 200, extended.text
    assert extended.json()["status"] == "validating_files"
    hub.models.is_down = False
    resolved = wait_for(http, job["id"], is_resolved)
    assert (resolved["runs_summary"]["cancelled"], resolved["runs_summary"]["queued"]) == (1, 3)
    assert {run["total_steps"] for run in list_runs(http, job["id"])} == {8}


def test_a_repeated_request_and_a_clone(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, file_id: str
) -> None:
    request = {
        "training_file": file_id,
        "model": MODEL,
        "recipe": {"max_steps": 8, "reinit_layers": 1},
    }
    key = {"idempotency-key": f"key-{repository.commit}"}
    first, second = (http.post(JOBS, json=request, headers=key).json() for _ in range(2))
    assert first["id"] == second["id"]
    resent = http.post(JOBS, json=request, headers={"x-stainless-retry-count": "1"}).json()
    clone = http.post(f"{JOBS}/{first['id']}/clone", json={"suffix": "again"}).json()
    assert clone["status"] == resent["status"] == "validating_files"
    hub.models.is_down = False
    for job_id in (first["id"], clone["id"]):
        assert wait_for(http, job_id, is_resolved)["resolved_recipe"]["max_steps"] == 8
    later = http.post(JOBS, json=request, headers=key).json()
    assert later["id"] == first["id"]


def test_another_process_goes_on_and_two_plan_once(
    service: Service, hub: PlayedHub, repository: ModelRepository
) -> None:
    with service(**FAST) as http:
        answer = http.post("/v1/files", files={"file": ("reviews.csv", review_csv(40))})
        jobs = [
            post_job(http, answer.json()["id"], suffix=f"job-{number}").json()["id"]
            for number in range(6)
        ]
    hub.models.is_down = False
    with ExitStack() as stack:
        http, other = (stack.enter_context(service(**FAST)) for _ in range(2))
        for job_id in jobs:
            wait_for(http, job_id, is_resolved)
            said = [
                message for message in list_messages(other, job_id) if "was resolved" in message
            ]
            assert len(said) == 1


def test_a_service_that_no_longer_allows_the_model_fails_its_jobs(
    service: Service, repository: ModelRepository
) -> None:
    with service(**FAST) as http:
        answer = http.post("/v1/files", files={"file": ("reviews.csv", review_csv(40))})
        job = post_job(http, answer.json()["id"]).json()
    with service(tick_seconds=0.05) as http:
        failed = wait_for(http, job["id"], has_failed)
    assert failed["error"]["code"] == "hub_not_allowed"
