"""The tab of the model: a text that is tried, the files, and the code.

``tests.flow.test_classifications`` tries a text on a model that was really trained.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from api.classifications.loaded_models import ClassifiedTexts
from api.serving.predictions import Disagreement, Prediction
from shared.db.api_keys import ApiKeys
from shared.db.session import Database
from shared.db.tables import Model
from shared.domain.api_keys import Scope
from shared.domain.errors import ModelNotServed
from shared.infra.settings import Settings
from tests.api.scored_jobs import HIGH, add_job
from tests.make import csv_bytes
from tests.pages.forms import find_token, get_token, sign_in
from tests.pages.trained_jobs import add_model_job
from tests.rows import TASK
from tests.shared.report.parsed_page import ParsedPage

HOSTILE = "<script>alert(1)</script>\u202e"


class ScriptedModels:
    """Answers in place of loaded models, and notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, Sequence[Any]]] = []
        self.disagreement: Disagreement | None = None
        self.error: Exception | None = None

    def classify_texts(
        self, members: Sequence[Model], _task: object, texts: Sequence[Any], _requester: object
    ) -> ClassifiedTexts:
        self.asked.append((len(members), texts))
        if self.error is not None:
            raise self.error
        return ClassifiedTexts([Prediction(1, [0.25, 0.75], self.disagreement)], [True], 3)


@pytest.fixture
def models(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> ScriptedModels:
    scripted = ScriptedModels()
    server = http.app.state.services.model_server  # type: ignore[attr-defined]
    monkeypatch.setattr(server, "classify_texts", scripted.classify_texts)
    return scripted


@pytest.fixture
def job_id(database: Database) -> str:
    return add_model_job(database)


def try_text(http: TestClient, job_id: str, **form: str) -> Any:
    token = find_token(http.get(f"/jobs/{job_id}/model").text)
    return http.post(f"/jobs/{job_id}/model", data={"csrf": token, **form})


def test_an_answer_has_every_probability(
    http: TestClient, models: ScriptedModels, job_id: str
) -> None:
    answer = try_text(http, job_id, text="  a text ")
    page = ParsedPage(answer.text)
    assert answer.status_code == 200
    assert "Answer: b" in page.text
    assert [row[2] for row in page.rows if row[0] in ("a", "b")] == ["0.750", "0.250"]
    assert "Truncated" in page.text
    assert models.asked == [(1, ["  a text "])]  # byte for byte
    assert ">\n  a text </textarea>" in answer.text


def test_all_seeds_answer_with_their_disagreement(
    http: TestClient, models: ScriptedModels, job_id: str
) -> None:
    models.disagreement = Disagreement(0.0, 0.05)
    text = ParsedPage(try_text(http, job_id, text="a", ensemble="1").text).text
    assert "All 6 seeds give this answer." in text
    models.disagreement = Disagreement(0.5, 0.05)
    text = ParsedPage(try_text(http, job_id, text="a", ensemble="1").text).text
    assert "The 6 seeds do not agree" in text
    assert [members for members, _ in models.asked] == [6, 6]


def test_pairs_need_both_texts(
    http: TestClient, models: ScriptedModels, database: Database
) -> None:
    task = TASK.model_copy(update={"text_pair_column": "other"})
    job_id = add_model_job(database, task=task)
    refused = try_text(http, job_id, text="first")
    assert refused.status_code == 400
    assert "Enter both texts." in refused.text
    assert "first</textarea>" in refused.text
    assert try_text(http, job_id, text="first", text_pair="second").status_code == 200
    assert models.asked == [(1, [("first", "second")])]


def test_what_the_model_refuses_stands_beside_the_field(
    http: TestClient, models: ScriptedModels, job_id: str
) -> None:
    assert "Enter a text." in try_text(http, job_id, text="").text
    assert models.asked == []
    models.error = ModelNotServed("The model has no graph.", param="model")
    answer = try_text(http, job_id, text=HOSTILE)
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.text
    assert "The model has no graph." in answer.text
    assert "<script>alert" not in answer.text


def test_without_a_model_there_is_no_tab(http: TestClient, database: Database) -> None:
    job_id = add_job(database, HIGH, model="tiny-bert")
    assert f'href="/jobs/{job_id}/model"' not in http.get(f"/jobs/{job_id}").text
    assert "no model that answers" in http.get(f"/jobs/{job_id}/model").text
    token = find_token(http.get("/new").text)
    answer = http.post(f"/jobs/{job_id}/model", data={"csrf": token, "text": "a"})
    assert answer.status_code == 404


def test_the_tab_is_there_with_a_model(http: TestClient, job_id: str) -> None:
    assert f'href="/jobs/{job_id}/model"' in http.get(f"/jobs/{job_id}").text


def test_the_code_names_the_model_and_the_form_of_its_input(
    http: TestClient, database: Database
) -> None:
    task = TASK.model_copy(update={"text_pair_column": "other"})
    job_id = add_model_job(database, task=task)
    text = ParsedPage(http.get(f"/jobs/{job_id}/model").text).text
    model = http.get(f"/v1/fine_tuning/jobs/{job_id}").json()["fine_tuned_model"]
    assert text.count(f'"model": "{model}"') == 1
    assert f"'model': '{model}'" in text
    assert '"text_b"' in text
    assert "'text_pair'" in text


def test_a_file_of_the_job_is_that_of_the_api(http: TestClient, database: Database) -> None:
    uploads = [
        http.post("/v1/files", files={"file": (name, csv_bytes([("a", "x"), ("b", "y")]))}).json()
        for name in ("metrics <b>.csv", "other.csv")
    ]
    job_id = add_model_job(database, result_files=[uploads[0]["id"]])
    page = http.get(f"/jobs/{job_id}/model").text
    assert "metrics &lt;b&gt;.csv" in page
    path = f"/jobs/{job_id}/files/{uploads[0]['id']}"
    assert f'href="{path}" download' in page
    answer, expected = http.get(path), http.get(f"/v1/files/{uploads[0]['id']}/content")
    assert answer.content == expected.content
    for header in ("content-disposition", "content-length", "x-content-type-options"):
        assert answer.headers[header] == expected.headers[header]
    assert http.get(f"/jobs/{job_id}/files/{uploads[1]['id']}").status_code == 404


def test_a_key_that_may_only_read_may_try_a_text(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = add_model_job(database)
    with_key = settings.model_copy(update={"api_key": SecretStr("the-administrator")})
    with TestClient(create_app(with_key), raise_server_exceptions=False) as http:
        scripted = ScriptedModels()
        server = http.app.state.services.model_server  # type: ignore[attr-defined]
        monkeypatch.setattr(server, "classify_texts", scripted.classify_texts)
        with database.write() as session:
            keys = ApiKeys(session)
            key = keys.create_key("looker", Scope.READ, owner_id="local", lifetime_seconds=None).key
        sign_in(http, key)
        form = {"csrf": get_token(http, f"/jobs/{job_id}/model"), "text": "a"}
        headers = {"accept": "text/html"}
        answer = http.post(f"/jobs/{job_id}/model", data=form, headers=headers)
        assert answer.status_code == 200
        assert "Answer:" in answer.text
    with database.write() as session:
        ApiKeys(session).revoke_key("looker")
