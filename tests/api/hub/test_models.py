"""Jobs that start from a model of the hub: what is refused before anything is queued, and what a
created job has stored.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from shared.domain.hub_model import HubModel
from shared.encoders.hub import client as hub_client
from shared.encoders.hub.cache import HubCache
from shared.encoders.hub.download import fetch_model
from shared.encoders.hub.resolution import HubModels
from shared.infra.settings import Settings
from tests.api_settings import provide_settings
from tests.hub import PlayedHub, played_hub
from tests.hub_models import ModelHub, ModelRepository
from tests.make import review_csv

JOBS = "/v1/fine_tuning/jobs"
MODEL = "acme/tiny-bert"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Settings]:
    with provide_settings(tmp_path_factory.mktemp("api"), model_dir) as provided:
        yield provided


@pytest.fixture(scope="module")
def module_hub() -> Iterator[PlayedHub]:
    with played_hub() as played:
        yield played


@pytest.fixture(scope="module")
def http(settings: Settings, module_hub: PlayedHub) -> Iterator[TestClient]:
    allowed = {"hub_models": "acme", "hub_endpoint": module_hub.url}
    application = create_app(settings.model_copy(update=allowed))
    with TestClient(application, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def file_id(http: TestClient) -> str:
    answer = http.post("/v1/files", files={"file": ("reviews.csv", review_csv(40))})
    return str(answer.json()["id"])


@pytest.fixture
def hub(module_hub: PlayedHub) -> PlayedHub:
    """The module's hub, as if it were new."""
    module_hub.models = ModelHub()
    module_hub.instead.clear()
    module_hub.asked.clear()
    return module_hub


@pytest.fixture
def repository(hub: PlayedHub, model_dir: Path, request: pytest.FixtureRequest) -> ModelRepository:
    """A model with a new commit, because the application keeps what it has resolved."""
    return hub.models.add(MODEL, model_dir / "tiny-bert", message=request.node.name)


def post_job(http: TestClient, file_id: str, **changes: Any) -> Any:
    request = {
        "training_file": file_id,
        "model": MODEL,
        "recipe": {"max_steps": 8, "reinit_layers": 1},
    }
    return http.post(JOBS, json=request | changes)


def get_error(http: TestClient, file_id: str, **changes: Any) -> tuple[int, str, str, str]:
    answer = post_job(http, file_id, **changes)
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"], error["message"]


def download(settings: Settings, hub: PlayedHub) -> HubModel:
    """Download the model as a worker would, on the application's disk."""
    with_hub = settings.model_copy(update={"hub_endpoint": hub.url, "hub_models": "acme"})
    model = HubModels(with_hub).resolve(MODEL, None)
    fetch_model(with_hub, model, lambda _received: None)
    return model


def test_a_job_waits_for_the_download_of_its_pinned_model(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, file_id: str
) -> None:
    job = post_job(http, file_id, model_revision="main").json()
    assert (job["model"], job["model_revision"]) == (MODEL, "main")
    assert job["resolved_model_revision"] == repository.commit
    assert job["status"] == "validating_files"
    assert job["runs_summary"]["queued"] == job["runs_summary"]["total"] == 5
    assert job["resolved_recipe"]["max_steps"] == 8
    assert hub.models.stored == []  # the API downloads no weights
    (created,) = http.get(f"{JOBS}/{job['id']}/events").json()["data"][-1:]
    assert f"once a worker has downloaded {MODEL} at {repository.commit[:7]}" in created["message"]
    html = http.get(f"{JOBS}/{job['id']}/stability.html").text
    assert repository.commit in html


def test_a_downloaded_model_is_not_waited_for(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, settings: Settings, file_id: str
) -> None:
    model = download(settings, hub)
    assert post_job(http, file_id).json()["status"] == "queued"
    hub.asked.clear()
    pinned = post_job(http, file_id, model_revision=model.commit).json()
    assert pinned["status"] == "queued"
    assert hub.asked == []


def test_a_preview_needs_the_downloaded_tokenizer(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, settings: Settings, file_id: str
) -> None:
    preview = f"/v1/files/{file_id}/preview"
    refused = http.get(preview, params={"model": "acme/other"}).json()["error"]
    assert (refused["code"], refused["param"]) == ("model_not_allowed", "model")
    assert "evenkeel models fetch acme/other" in refused["message"]
    download(settings, hub)
    shown = http.get(preview, params={"model": MODEL}).json()
    assert shown["model"] == MODEL
    assert all(row["tokens"] for row in shown["data"])


def test_a_clone_keeps_the_commit(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, file_id: str
) -> None:
    first = repository.commit
    job = post_job(http, file_id).json()
    repository.message = "another"
    assert repository.commit != first
    repository.revisions = ("main", first)
    newer = post_job(http, file_id).json()
    assert newer["resolved_model_revision"] == repository.commit
    repository.message = "test_a_clone_keeps_the_commit"  # the first commit again, as by its ID
    answer = http.post(f"{JOBS}/{job['id']}/clone", json={"suffix": "again"})
    assert answer.json()["model_revision"] == first
    other = http.post(f"{JOBS}/{job['id']}/clone", json={"model": "tiny-roberta"}).json()
    assert (other["model"], other["model_revision"]) == ("tiny-roberta", None)


def test_a_clone_may_change_the_revision(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, file_id: str
) -> None:
    first = repository.commit
    job = post_job(http, file_id, model_revision="main").json()
    repository.message = f"{repository.message}, later"
    repository.revisions = ("main", "next")
    url = f"{JOBS}/{job['id']}/clone"
    later = http.post(url, json={"model_revision": "next"}).json()
    assert (later["model_revision"], job["resolved_model_revision"]) == ("next", first)
    assert later["resolved_model_revision"] == repository.commit != first
    refused = http.post(url, json={"model_revision": "absent"}).json()["error"]
    assert (refused["code"], refused["param"]) == ("model_not_found", "model_revision")
    elsewhere = {"model": "tiny-roberta", "model_revision": "main"}
    refused = http.post(url, json=elsewhere).json()["error"]
    assert (refused["code"], refused["param"]) == ("model_not_found", "model_revision")


@pytest.mark.parametrize("path", ["", "/stabilized"])
def test_recipes_are_resolved_for_a_revision(
    path: str, http: TestClient, hub: PlayedHub, repository: ModelRepository, model_dir: Path
) -> None:
    repository.message = f"{repository.message}{path}"
    repository.revisions = ("main", "next")
    url = f"/v1/fine_tuning/recipes{path}"
    body = http.get(url, params={"model": MODEL, "model_revision": "next"}).json()
    recipes = body["data"] if path == "" else [body]
    assert {one["resolved_model_revision"] for one in recipes} == {repository.commit}
    body = http.get(url, params={"model": "tiny-bert"}).json()
    recipes = body["data"] if path == "" else [body]
    assert {one["resolved_model_revision"] for one in recipes} == {None}
    for query, expected in (
        ({"model": MODEL, "model_revision": "absent"}, (404, "model_not_found")),
        ({"model": "tiny-bert", "model_revision": "main"}, (404, "model_not_found")),
        ({"model": MODEL, "model_revision": "/"}, (400, "invalid_request")),
    ):
        answer = http.get(url, params=query)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == expected
        assert error["param"] == "model_revision"


def test_a_dry_run_shows_the_commit(
    http: TestClient, repository: ModelRepository, file_id: str
) -> None:
    plan = post_job(http, file_id, dry_run=True).json()
    assert plan["resolved_model_revision"] == repository.commit
    recipe = http.get("/v1/fine_tuning/recipes/stabilized", params={"model": MODEL})
    assert recipe.json()["model"] == MODEL


def test_a_model_of_the_installation_comes_first_and_has_no_revision(
    http: TestClient, file_id: str
) -> None:
    job = post_job(http, file_id, model="tiny-bert").json()
    assert (job["status"], job["resolved_model_revision"]) == ("queued", None)
    error = get_error(http, file_id, model="tiny-bert", model_revision="main")
    assert error[:3] == (404, "model_not_found", "model_revision")


@pytest.mark.parametrize(
    ("model", "revision", "expected"),
    [
        ("acme/absent", None, (404, "model_not_found", "model")),
        (MODEL, "absent", (404, "model_not_found", "model_revision")),
        ("other/tiny-bert", None, (400, "hub_not_allowed", "model")),
        ("../etc/passwd", None, (400, "model_not_allowed", "model")),
        ("acme/..", None, (400, "model_not_allowed", "model")),
        ("https://acme/x", None, (400, "model_not_allowed", "model")),
        ("absent", None, (400, "model_not_allowed", "model")),
        (MODEL, "a/../b", (404, "model_not_found", "model_revision")),
    ],
)
def test_unknown_and_forbidden_models(
    http: TestClient,
    repository: ModelRepository,
    file_id: str,
    model: str,
    revision: str | None,
    expected: tuple[Any, ...],
) -> None:
    assert get_error(http, file_id, model=model, model_revision=revision)[:3] == expected


UNFIT: dict[str, tuple[dict[str, bytes | None], str]] = {
    "pickle": ({"model.safetensors": None, "pytorch_model.bin": b"\x80\x04"}, "pickle"),
    "flax": ({"model.safetensors": None, "flax_model.msgpack": b""}, "no model.safetensors"),
    "no config": ({"config.json": None}, "no config.json"),
    "broken config": ({"config.json": b"{"}, "config.json"),
    "remote code": (
        {
            "config.json": json.dumps(
                {"model_type": "bert", "auto_map": {"AutoModel": "m.M"}}
            ).encode()
        },
        "auto_map",
    ),
    "decoder": ({"config.json": b'{"model_type": "gpt2"}'}, "gpt2"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_unfit_models_are_refused_before_the_queue(
    http: TestClient, repository: ModelRepository, hub: PlayedHub, file_id: str, kind: str
) -> None:
    changes, words = UNFIT[kind]
    files = {**repository.files, **changes}
    repository.files = {path: content for path, content in files.items() if content is not None}
    status, code, param, message = get_error(http, file_id)
    assert (status, code, param) == (400, "model_not_allowed", "model")
    assert words in message
    assert message.endswith(".")
    assert hub.models.stored == []


def test_a_hub_that_fails_is_answered_with_503_where_no_job_can_wait(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, file_id: str
) -> None:
    hub.models.is_down = True
    answer = post_job(http, file_id, dry_run=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "hub_not_reachable")
    assert answer.headers["retry-after"]


def test_a_hub_that_sends_nonsense_is_answered_with_503(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, file_id: str
) -> None:
    for body in (b"<html>", b"[]", b"{}", b'{"id": 3, "siblings": [{"rfilename": 4}]}'):
        hub.instead[f"/api/models/{MODEL}/revision/main"] = body
        assert get_error(http, file_id, dry_run=True)[:2] == (503, "hub_not_reachable")


def test_a_hub_that_drips_is_answered_in_bounded_time(
    http: TestClient,
    hub: PlayedHub,
    repository: ModelRepository,
    file_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_client, "METADATA_SECONDS", 0.2)
    hub.models.metadata_drip_s = 0.3
    assert get_error(http, file_id, dry_run=True)[:2] == (503, "hub_not_reachable")


def test_nothing_of_an_unfinished_download_is_offered(
    http: TestClient, hub: PlayedHub, repository: ModelRepository, settings: Settings, file_id: str
) -> None:
    with_hub = settings.model_copy(update={"hub_endpoint": hub.url, "hub_models": "acme"})
    model = HubModels(with_hub).resolve(MODEL, None)
    partial = HubCache(settings.resolved_hub_cache).get_partial_folder(model)
    partial.mkdir(parents=True)
    (partial / "config.json").write_bytes(b"{}")
    assert post_job(http, file_id).json()["status"] == "validating_files"
