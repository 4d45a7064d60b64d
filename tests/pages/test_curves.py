"""The tab of the curves: what it shows, its pictures and its numbers."""

import csv
import gzip
import io
from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient

from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.report.figures import DARK, LIGHT
from tests.api.scored_jobs import HIGH, add_job
from tests.pages.trained_jobs import add_curves
from tests.rows import RECIPE
from tests.shared.report.parsed_page import ParsedPage

MEASURES = ("train_loss", "valid_loss", "score", "grad_norm", "learning_rate")


@pytest.fixture
def job_id(database: Database) -> str:
    job_id = add_job(database, HIGH, model="tiny-bert")
    add_curves(database, job_id)
    return job_id


def find_version(page: str) -> str:
    return page.partition("light.svg?v=")[2].partition('"')[0]


def test_every_measure_has_a_picture_with_a_description_and_its_numbers(
    http: TestClient, job_id: str
) -> None:
    page = http.get(f"/jobs/{job_id}/curves").text
    for measure in MEASURES:
        assert f'src="/jobs/{job_id}/curves/{measure}/light.svg?v=' in page
        assert f'href="/jobs/{job_id}/curves/{measure}.csv"' in page
    assert page.count('width="720" height="290"') == len(MEASURES)
    assert 'alt="Training loss from step 1 to 10. At step 1: mean 2.25 over 6 runs' in page
    assert ["1", "6", "2.25", "0.1871", "2", "2.5"] in ParsedPage(page).rows


def test_a_job_that_has_not_begun_has_no_tab(http: TestClient, database: Database) -> None:
    job_id = add_job(database, [None], model="tiny-bert", status="running")
    assert f'href="/jobs/{job_id}/curves"' not in http.get(f"/jobs/{job_id}").text
    page = http.get(f"/jobs/{job_id}/curves")
    assert page.status_code == 200
    assert "begin with the first step" in page.text


def test_a_picture_has_the_colors_of_its_theme_and_is_compressed(
    http: TestClient, job_id: str
) -> None:
    for theme, palette in (("light", LIGHT), ("dark", DARK)):
        path = f"/jobs/{job_id}/curves/train_loss/{theme}.svg"
        answer = http.get(path, headers={"accept-encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["content-type"] == "image/svg+xml"
        ElementTree.fromstring(answer.text)
        assert palette.good in answer.text
        assert "var(--" not in answer.text
        plain = http.get(path, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.text == answer.text


def test_the_numbers_are_those_of_every_run(http: TestClient, job_id: str) -> None:
    answer = http.get(f"/jobs/{job_id}/curves/train_loss.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["step"] for row in rows] == [str(step) for step in range(1, 11)]
    assert [float(rows[1][f"seed {seed}"]) for seed in range(6)] == pytest.approx(
        [1 + seed / 10 for seed in range(6)]
    )
    assert float(rows[1]["mean"]) == pytest.approx(1.25)
    rate = http.get(f"/jobs/{job_id}/curves/learning_rate.csv").text
    assert rate.startswith("step,n,mean,std,lowest,highest,every seed\r\n")


def test_a_missing_bias_correction_is_shown_beside_the_rate(
    http: TestClient, database: Database
) -> None:
    recipe = RECIPE.model_copy(update={"bias_correction": False})
    job_id = add_job(database, HIGH, model="tiny-bert")
    with database.write() as session:
        session.get_one(Job, job_id).resolved_recipe = recipe
    add_curves(database, job_id)
    assert "Without bias correction it acts as" in http.get(f"/jobs/{job_id}/curves").text
    table = http.get(f"/jobs/{job_id}/curves/learning_rate.csv").text
    row = next(csv.DictReader(io.StringIO(table)))
    assert float(row["without_bias_correction"]) > 3 * float(row["mean"]) > 0


@pytest.mark.parametrize("path", ["accuracy.csv", "accuracy/light.svg", "score/blue.svg"])
def test_there_are_no_other_curves(http: TestClient, job_id: str, path: str) -> None:
    assert http.get(f"/jobs/{job_id}/curves/{path}").status_code in (400, 404)


def test_a_measure_without_points_is_not_there(http: TestClient, database: Database) -> None:
    job_id = add_job(database, HIGH, model="tiny-bert")
    for kind in ("score.csv", "score/light.svg"):
        assert http.get(f"/jobs/{job_id}/curves/{kind}").status_code == 404


def test_the_address_of_a_picture_changes_with_the_curves(
    http: TestClient, database: Database, job_id: str
) -> None:
    before = find_version(http.get(f"/jobs/{job_id}/curves").text)
    assert find_version(http.get(f"/jobs/{job_id}/curves").text) == before
    with database.write() as session:
        session.query(Run).filter_by(job_id=job_id, index=0).update({"step": 9})
    stopped = find_version(http.get(f"/jobs/{job_id}/curves").text)
    assert stopped != before
    with database.write() as session:
        session.query(Run).filter_by(job_id=job_id, index=0).update(
            {"status": "running", "lease_until": 1e12, "worker": "w"}
        )
    assert find_version(http.get(f"/jobs/{job_id}/curves").text).startswith("live-")


def test_many_seeds_and_steps_stay_small(http: TestClient, database: Database) -> None:
    job_id = add_job(database, [0.7] * 20, model="tiny-bert")
    add_curves(database, job_id, steps=2000)
    page = http.get(f"/jobs/{job_id}/curves")
    sent = len(gzip.compress(page.content)) + sum(
        int(
            http.get(
                f"/jobs/{job_id}/curves/{measure}/light.svg", headers={"accept-encoding": "gzip"}
            ).headers["content-length"]
        )
        for measure in MEASURES
    )
    assert sent < 300_000
    rows = http.get(f"/jobs/{job_id}/curves/grad_norm.csv").text.splitlines()
    assert len(rows) == 201
    assert (rows[1].split(",")[0], rows[-1].split(",")[0]) == ("1", "2000")
