"""Secrets planted in a real stack show up nowhere: logs, responses, process list, database.

In the database, keys are hashed and webhooks encrypted. Texts that are classified are not stored.
"""

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import pytest

from api.app import create_app
from shared.db.api_keys import ApiKeys
from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.domain.api_keys import Scope, make_key
from shared.infra.secret_box import KEY_FILE_NAME
from shared.infra.settings import Settings
from tests.make import review_csv
from tests.security.conftest import authorize, create_key
from tests.servers import redis_server, wait_until
from tests.stack import Stack

pytestmark = pytest.mark.server

JOBS = "/v1/fine_tuning/jobs"
RECEIVER = "http://127.0.0.1:9"  # nothing listens, so that the log tells of a failure


def _make() -> str:
    return f"planted{secrets.token_hex(16)}"


@dataclass
class Planted:
    """Twenty secrets, each in a place of its own."""

    administrator_key: str
    encryption_key: str
    hub_token: str
    submit_key: str
    read_key: str
    admin_key: str
    revoked_key: str
    guessed_key: str
    guess_of_another_form: str
    basic_password: str
    key_in_query: str
    key_in_cookie: str
    key_in_own_header: str
    webhook_path: str
    webhook_query: str
    webhook_secret: str
    other_webhook_path: str
    other_webhook_secret: str
    webhook_password: str
    classified_text: str

    def list_forms(self) -> dict[str, list[bytes]]:
        """Return the forms in which each secret would be recognized."""
        forms: dict[str, list[bytes]] = {}
        for field in fields(self):
            value: str = getattr(self, field.name)
            core = value.rpartition("_")[2]  # the prefix of a key is no secret
            encoded = base64.b64encode(core.encode()).rstrip(b"=")[:-1]
            forms[field.name] = [core.encode(), quote(core, safe="").encode(), encoded]
        return forms


def plant() -> Planted:
    values = {field.name: _make() for field in fields(Planted)}
    return Planted(**values | {"guessed_key": make_key()})


@dataclass
class Scene:
    stack: Stack
    planted: Planted
    responses: list[httpx.Response]
    job_id: str = ""
    file_id: str = ""

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**authorize(self.planted.submit_key), **options.pop("headers", {})}
        response = self.stack.http.request(method, path, headers=headers, **options)
        self.responses.append(response)
        return response


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Scene]:
    home = tmp_path_factory.mktemp("planted") / "home"
    home.mkdir()
    url = f"sqlite:///{home / 'evenkeel.db'}"
    apply_migrations(url)
    planted = plant()
    _create_keys(url, planted)
    with redis_server() as redis:
        stack = Stack(home, url, redis, model_dir, slots=1)
        stack.environment |= {
            "EVENKEEL_API_KEY": planted.administrator_key,
            "EVENKEEL_SECRET_KEY": planted.encryption_key,
            "EVENKEEL_HUB_TOKEN": planted.hub_token,
            "EVENKEEL_LOG_LEVEL": "DEBUG",
        }
        try:
            stack.start("api")  # first, so that it has the cores to itself
            stack.start("worker", "worker.maintenance.sweeper")
            scene = Scene(stack, planted, [])
            _use_service(scene)
            yield scene
        finally:
            stack.close()


def _create_keys(url: str, planted: Planted) -> None:
    database = Database(url)
    planted.submit_key = create_key(database, "submit", "tenant")
    planted.read_key = create_key(database, "read", "tenant", Scope.READ)
    planted.admin_key = create_key(database, "admin", "tenant", Scope.ADMIN)
    planted.revoked_key = create_key(database, "revoked", "tenant")
    with database.write() as session:
        ApiKeys(session).revoke_key("revoked")
    database.dispose()


def _use_service(scene: Scene) -> None:
    planted = scene.planted
    uploaded = scene.ask("POST", "/v1/files", files={"file": ("a.csv", review_csv(40))})
    scene.file_id = uploaded.json()["id"]
    _send_wrong_keys(scene)
    first = _create_job(
        scene,
        f"{RECEIVER}/{planted.webhook_path}?token={planted.webhook_query}",
        planted.webhook_secret,
    )
    assert first.status_code == 200, first.text
    scene.job_id = first.json()["id"]
    cloned = scene.ask(
        "POST",
        f"{JOBS}/{scene.job_id}/clone",
        json={
            "webhook": {
                "url": f"{RECEIVER}/{planted.other_webhook_path}",
                "secret": planted.other_webhook_secret,
            }
        },
    )
    assert cloned.status_code == 200, cloned.text
    refused = _create_job(scene, f"http://me:{planted.webhook_password}@127.0.0.1/", "s" * 24)
    assert refused.status_code == 400
    ended = {"succeeded", "failed", "cancelled"}
    path = f"{JOBS}/{scene.job_id}"
    wait_until(lambda: scene.ask("GET", path).json()["status"] in ended, 240, "the job")
    assert scene.ask("GET", path).json()["status"] == "succeeded", scene.stack.logs()
    _classify(scene)
    _read_everything(scene)
    deliveries = f"{path}/webhook_deliveries"
    wait_until(
        lambda: scene.ask("GET", deliveries).json()["data"][0]["attempts"] > 0, 60, "a delivery"
    )


def _create_job(scene: Scene, webhook_url: str, secret: str) -> httpx.Response:
    body = {
        "model": "tiny-bert",
        "training_file": scene.file_id,
        "runs": {"num_seeds": 1},
        "recipe": {"max_steps": 4, "learning_rate": 0.005, "reinit_layers": 1, "eval_points": 2},
        "webhook": {"url": webhook_url, "secret": secret},
    }
    return scene.ask("POST", JOBS, json=body)


def _send_wrong_keys(scene: Scene) -> None:
    planted = scene.planted
    wrong = (
        authorize(planted.guessed_key),
        authorize(planted.guess_of_another_form),
        authorize(planted.revoked_key),
        {"authorization": f"Basic {planted.basic_password}"},
        {"authorization": "", "cookie": f"key={planted.key_in_cookie}"},
        {"authorization": "", "x-api-key": planted.key_in_own_header},
    )
    for headers in wrong:
        assert scene.ask("GET", JOBS, headers=headers).status_code == 401
    in_query = scene.ask("GET", f"{JOBS}?api_key={planted.key_in_query}")
    assert in_query.status_code == 400
    for key in (planted.read_key, planted.admin_key, planted.administrator_key):
        assert scene.ask("GET", "/v1/queue", headers=authorize(key)).status_code == 200


def _classify(scene: Scene) -> None:
    model = scene.ask("GET", f"{JOBS}/{scene.job_id}").json()["fine_tuned_model"]
    for body in ({"input": scene.planted.classified_text}, {"input": [{"text_a": 1}]}):
        scene.ask("POST", "/v1/classifications", json={"model": model, **body})


def _read_everything(scene: Scene) -> None:
    """Read every address that the document lists for reading."""
    runs = scene.ask("GET", f"{JOBS}/{scene.job_id}/runs").json()["data"]
    places = {
        "job_id": scene.job_id,
        "run_id": runs[0]["id"],
        "file_id": scene.file_id,
        "name": "stabilized",
        "model": "tiny-bert",
        "comparison_id": "ftcmp-none",
    }
    paths = create_app(Settings(api_key=None)).openapi()["paths"]
    for path, methods in paths.items():
        if "get" in methods:
            scene.ask("GET", path.format_map(places), headers=authorize(scene.planted.admin_key))


def _find(content: bytes, planted: Planted) -> list[str]:
    return [
        name
        for name, forms in planted.list_forms().items()
        if any(form in content for form in forms)
    ]


def test_twenty_secrets_are_planted(scene: Scene) -> None:
    assert len(scene.planted.list_forms()) == 20
    for name, forms in scene.planted.list_forms().items():
        assert _find(b"before " + forms[0] + b" after", scene.planted) == [name]


def test_no_response_shows_a_secret(scene: Scene) -> None:
    assert len(scene.responses) > 40
    for response in scene.responses:
        shown = response.content + repr(response.headers.raw).encode()
        assert _find(shown, scene.planted) == [], response.request.url.path


def test_no_log_shows_a_secret(scene: Scene) -> None:
    for path in scene.stack.home.glob("*.log"):
        content = path.read_bytes()
        assert content, path
        assert _find(content, scene.planted) == [], path.name


def test_no_file_of_the_home_shows_a_secret(scene: Scene) -> None:
    """That is the database and its journals too, byte by byte."""
    found = {
        path.name: names
        for path in scene.stack.home.rglob("*")
        if path.is_file() and (names := _find(path.read_bytes(), scene.planted))
    }
    assert found == {}
    assert not (scene.stack.home / KEY_FILE_NAME).exists()  # the key was in the environment


def test_no_command_line_shows_a_secret(scene: Scene) -> None:
    processes = psutil.Process().children(recursive=True)
    assert len(processes) >= 3
    lines = b"\n".join(" ".join(process.cmdline()).encode() for process in processes)
    assert _find(lines, scene.planted) == []


def test_redis_has_no_secret(scene: Scene) -> None:
    client = scene.stack.redis.client()
    for key in client.scan_iter():
        assert _find(client.dump(key) or b"", scene.planted) == []
