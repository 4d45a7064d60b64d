"""The tabs of the recipe and of the data."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from shared.db.session import Database
from shared.db.tables import Job
from shared.domain.job_facts import DatasetFacts, JobWarning, LabelCount, LeakSummary, RowCounts
from shared.domain.job_request import StoredRequest
from shared.recipe.pilot_schemas import PilotPlan
from tests.api.scored_jobs import DATASET, HIGH, add_job
from tests.make import csv_bytes
from tests.rows import RECIPE
from tests.shared.report.parsed_page import ParsedPage

HOSTILE = "<b>x</b>\u202e"


def add_with_recipe(database: Database, recipe: dict[str, Any], **values: Any) -> str:
    request = StoredRequest.model_validate({"recipe": recipe})
    return add_job(database, HIGH, model="tiny-bert", request=request, **values)


@pytest.fixture
def file_id(http: TestClient) -> str:
    rows: list[tuple[str, ...]] = [(f"text {number}", "ab"[number % 2]) for number in range(12)]
    file = {"file": ("reviews <i>.csv", csv_bytes([*rows, rows[0]]))}
    return str(http.post("/v1/files", files=file).json()["id"])


def test_what_differs_from_the_preset_and_why(http: TestClient, database: Database) -> None:
    notes = {"reinit_layers": f"1: a sixth of the blocks of {HOSTILE}."}
    job_id = add_with_recipe(
        database,
        {"preset": "stabilized", "max_steps": 10, "train_batch_size": 16},
        recipe_notes=notes,
        base_model_sha256="ab" * 32,
    )
    with database.write() as session:
        recipe = RECIPE.model_copy(update={"train_batch_size": 16})
        session.get_one(Job, job_id).resolved_recipe = recipe
    page = http.get(f"/jobs/{job_id}/recipe").text
    parsed = ParsedPage(page)
    assert ["max steps", "10", "chosen automatically"] in parsed.rows
    assert ["train batch size", "16", "32"] in parsed.rows
    assert ["reinit layers", "1", notes["reinit_layers"]] in parsed.rows
    assert "ab" * 32 in page
    assert "<b>x" not in page
    assert http.get(f"/v1/fine_tuning/jobs/{job_id}").json()["base_model_sha256"] == "ab" * 32


def test_a_preset_as_it_is_says_so(http: TestClient, database: Database) -> None:
    job_id = add_with_recipe(database, {"preset": "debiased"})
    text = ParsedPage(http.get(f"/jobs/{job_id}/recipe").text).text
    assert "the job has the preset as it is" in text
    assert "recorded by the first run" in text


def test_pilots_have_their_scores_and_the_choice(http: TestClient, database: Database) -> None:
    tried = [
        {"reinit_layers": layers, "max_steps": 10, "scores": [mean], "degenerate": 0, "failed": 0}
        | {"mean": mean}
        for layers, mean in ((1, 0.5), (2, 0.75))
    ]
    plan = {
        "automatic": ["reinit_layers"],
        "rule": RECIPE.model_dump(),
        "rounds": [{"name": "networks", "candidates": [], "seeds": 1}],
        "candidates": tried,
        "chosen": {"reinit_layers": 2, "max_steps": 10},
        "reason": "reinit_layers 2 has the best mean.",
        "seeds": [100],
        "steps": 20,
    }
    pilots = PilotPlan.model_validate(plan)
    job_id = add_with_recipe(database, {"preset": "stabilized"}, pilots=pilots)
    page = ParsedPage(http.get(f"/jobs/{job_id}/recipe").text)
    assert "reinit_layers 2 has the best mean." in page.text
    rows = [row for row in page.rows if row[0] in ("1", "2")]
    assert [(row[0], row[-1]) for row in rows] == [("1", ""), ("2", "chosen")]
    assert "0.75" in " ".join(rows[1])


def test_the_data_with_its_split_and_every_caution(
    http: TestClient, database: Database, file_id: str
) -> None:
    facts = DATASET.model_copy(
        update={
            "labels": [LabelCount(label="a", count=30), LabelCount(label=HOSTILE, count=34)],
            "leakage": {"validation": LeakSummary(rows=2, first_rows=[3, 9], conflicting_labels=1)},
        }
    )
    warning = JobWarning(code="leakage", message=f"Some texts repeat {HOSTILE}.")
    job_id = add_job(
        database,
        HIGH,
        model="tiny-bert",
        dataset=facts,
        training_file=file_id,
        warnings=[warning],
    )
    page = http.get(f"/jobs/{job_id}/data").text
    parsed = ParsedPage(page)
    assert parsed.row("training")[0] in ("64", "reviews <i>.csv")
    assert ["validation", "16", "choose each run's checkpoint"] in parsed.rows
    assert "2 rows have a text that is also a training row's, 1 of them with another label" in page
    assert "Some texts repeat" in parsed.text
    assert "1 row of the training file repeats an earlier one" in parsed.text
    assert f'href="/jobs/{job_id}/files/{file_id}" download' in page
    assert f'href="/new/{file_id}"' in page
    assert parsed.row(HOSTILE)[-1] == "34"
    assert "<b>x" not in page
    assert http.get(f"/jobs/{job_id}/files/{file_id}").content.startswith(b"text,label")


def test_a_deleted_file_keeps_its_name(http: TestClient, database: Database) -> None:
    facts = DatasetFacts(
        rows=RowCounts(train=64, validation=16, test=4),
        training_sha256="c" * 64,
        filenames={"training_file": "gone.csv"},
    )
    job_id = add_job(database, HIGH, model="tiny-bert", dataset=facts, training_file="file-gone")
    page = http.get(f"/jobs/{job_id}/data")
    assert page.status_code == 200
    assert "gone.csv" in page.text
    assert "deleted" in page.text
    assert "/files/file-gone" not in page.text
    assert http.get(f"/jobs/{job_id}/files/file-gone").status_code == 404
