"""The models: what jobs can start from, what they have published, and deletion."""

import pytest
from fastapi.testclient import TestClient

from shared.db.session import Database
from shared.db.tables import Model, Run
from tests.api.scored_jobs import HIGH, add_job
from tests.make import review_csv
from tests.pages.forms import find_token
from tests.shared.report.parsed_page import ParsedPage


def publish(database: Database, name: str, *, status: str = "succeeded") -> tuple[str, str]:
    """Add a job with a model; return the IDs of both."""
    job_id = add_job(database, HIGH, model="tiny-bert", status=status)
    model_id = f"ft:tiny-bert:local:{name}:{job_id[-8:]}"
    with database.write() as session:
        run = session.query(Run).filter_by(job_id=job_id, index=0).one()
        session.add(
            Model(
                id=model_id,
                owner_id="local",
                job_id=job_id,
                run_id=run.id,
                base_model="tiny-bert",
                prefix=f"models/{job_id}",
                labels=["a", "b"],
            )
        )
    return job_id, model_id


def list_starts(http: TestClient, query: str = "") -> list[str]:
    """List the first words of the models that jobs can start from."""
    page = ParsedPage(http.get(f"/models{query}").text)
    return [row[0] for row in page.rows if len(row) == 10 and not row[0].startswith("Model")]


class TestStarts:
    def test_a_row_has_the_numbers_of_the_api(self, http: TestClient) -> None:
        encoder = http.get("/v1/models/tiny-bert").json()["encoder"]
        row = ParsedPage(http.get("/models").text).row("tiny-bert")
        assert row[:4] == ["folder", "bert", f"{encoder['parameters']:,}", "64"]

    def test_search_and_order_are_in_the_address(self, http: TestClient) -> None:
        names = list_starts(http, "?sort=name")
        assert {"tiny-bert", "tiny-roberta"} <= set(names)
        assert list_starts(http, "?sort=-name") == names[::-1]
        assert list_starts(http, "?q=ROBERTA") == ["tiny-roberta"]
        assert list_starts(http, "?source=folder&sort=parameters") == ["tiny-bert", "tiny-roberta"]
        assert "No model fits" in http.get("/models?q=nowhere").text
        assert http.get("/models?sort=odd").status_code == 400

    def test_a_new_job_starts_from_the_chosen_model(self, http: TestClient) -> None:
        page = http.get("/models").text
        assert 'href="/new?model=tiny-roberta"' in page
        first = http.get("/new?model=tiny-roberta").text
        form = {"csrf": find_token(first), "settings": "model=tiny-roberta"}
        assert 'name="settings" value="model=tiny-roberta"' in first
        files = {"file": ("reviews.csv", review_csv(40))}
        answer = http.post("/new", data=form, files=files, follow_redirects=False)
        assert answer.headers["location"].endswith("?model=tiny-roberta")


class TestFineTuned:
    def test_a_model_leads_to_its_job_and_to_new_ones(
        self, http: TestClient, database: Database
    ) -> None:
        job_id, model_id = publish(database, "news")
        page = http.get("/models?q=news").text
        assert f'href="/jobs/{job_id}/model"' in page
        assert f'href="/new?model={model_id.replace(":", "%3A")}"' in page
        assert ParsedPage(page).row(f"{model_id}of {job_id}")[0] == "tiny-bert"

    def test_deletion_is_asked_once(self, http: TestClient, database: Database) -> None:
        job_id, model_id = publish(database, "doomed")
        page = http.get("/models/delete", params={"model": model_id}).text
        form = {"csrf": find_token(page), "model": model_id}
        answer = http.post("/models/delete", data=form, follow_redirects=False)
        assert answer.headers["location"] == "/models"
        assert http.get(f"/v1/models/{model_id}").status_code == 404
        assert http.get(f"/jobs/{job_id}").status_code == 200

    def test_an_open_job_prevents_it(self, http: TestClient, database: Database) -> None:
        _, model_id = publish(database, "open", status="running")
        token = find_token(http.get("/models/delete", params={"model": model_id}).text)
        answer = http.post("/models/delete", data={"csrf": token, "model": model_id})
        assert answer.status_code == 400
        assert "has not ended yet" in answer.text
        assert http.get(f"/v1/models/{model_id}").status_code == 200

    @pytest.mark.parametrize("model", ["none", "ft:a:b::00000000", "<b>" * 80])
    def test_a_model_that_does_not_exist(self, http: TestClient, model: str) -> None:
        answer = http.get("/models/delete", params={"model": model})
        assert answer.status_code == 404
        assert "<b>" not in answer.text
