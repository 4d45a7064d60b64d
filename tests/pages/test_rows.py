"""The tab of the rows: the confusion matrix, its links, the texts and how far seeds agree."""

import re

import pytest
from fastapi.testclient import TestClient

from shared.db.session import Database
from shared.db.tables import Run
from shared.domain.task import TaskType
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from tests.api.scored_jobs import add_job
from tests.make import csv_bytes
from tests.pages.trained_jobs import StoredRow, store_predictions
from tests.rows import TASK
from tests.shared.report.parsed_page import ParsedPage

HOSTILE = "<script>alert(1)</script>\u202e"
LONG = "a word " * 1500
FIRST: list[StoredRow] = [
    (1, "a", "a", [0.9, 0.1]),
    (2, "a", "b", [0.2, 0.8]),
    (3, "b", "b", [0.4, 0.6]),
]
SECOND: list[StoredRow] = [
    (1, "a", "a", [0.8, 0.2]),
    (2, "a", "a", [0.9, 0.1]),
    (3, "b", "a", [0.7, 0.3]),
]


def get_storage(settings: Settings) -> Storage:
    return Storage(settings.resolved_storage_url)


def upload(http: TestClient, texts: list[str]) -> str:
    rows: list[tuple[str, ...]] = [(text, "ab"[at % 2]) for at, text in enumerate(texts)]
    answer = http.post("/v1/files", files={"file": ("reviews.csv", csv_bytes(rows))})
    return str(answer.json()["id"])


@pytest.fixture
def job_id(http: TestClient, settings: Settings, database: Database) -> str:
    file_id = upload(http, ["first text", HOSTILE, LONG])
    job_id = add_job(database, [0.6, 0.7], model="tiny-bert", training_file=file_id)
    store_predictions(get_storage(settings), database, job_id, FIRST, SECOND)
    return job_id


def list_rows(http: TestClient, job_id: str, query: str = "") -> list[str]:
    """List the numbers of the shown rows."""
    page = http.get(f"/jobs/{job_id}/rows{query}")
    assert page.status_code == 200, page.text
    return re.findall(r'<th scope="row" class="number" data-label="Row">(\d+)</th>', page.text)


def test_every_count_of_the_matrix_opens_its_rows(http: TestClient, job_id: str) -> None:
    page = http.get(f"/jobs/{job_id}/rows").text  # of the best run, the second
    links = re.findall(r'<td class="shade-\d+[^"]*"><a href="([^"]+)"[^>]*>(\d+)</a>', page)
    assert [count for _, count in links] == ["2", "1"]
    for link, count in links:
        query = link.replace("&amp;", "&").partition("?")[2]
        assert len(list_rows(http, job_id, f"?{query}")) == int(count)
    assert "1 of 3 predicted wrong" in ParsedPage(page).text


def test_filters_and_order_are_in_the_address(
    http: TestClient, database: Database, job_id: str
) -> None:
    with database.read() as session:
        first = session.query(Run).filter_by(job_id=job_id, index=0).one().id
    assert list_rows(http, job_id, f"?run={first}&sort=row") == ["1", "2", "3"]
    assert list_rows(http, job_id, f"?run={first}") == ["2", "3", "1"]  # the seeds disagree on two
    assert list_rows(http, job_id, f"?run={first}&sort=score") == ["1", "2", "3"]
    assert list_rows(http, job_id, f"?run={first}&wrong=1") == ["2"]
    assert list_rows(http, job_id, f"?run={first}&actual=b") == ["3"]
    assert list_rows(http, job_id, f"?run={first}&predicted=b&sort=row") == ["2", "3"]
    assert list_rows(http, job_id, f"?run={first}&page=2") == []


def test_the_ensemble_is_the_mean_of_the_seeds(http: TestClient, job_id: str) -> None:
    page = ParsedPage(http.get(f"/jobs/{job_id}/rows?run=ensemble&sort=row").text)
    rows = [row for row in page.rows if row[0].isdigit() and len(row) == 6]
    assert [(row[2], row[3].split()[0], row[4], row[5]) for row in rows] == [
        ("a", "a", "0.850", "0 of 2"),
        ("a", "a", "0.550", "1 of 2"),
        ("b", "a", "0.550", "1 of 2"),
    ]


def test_texts_are_text_however_long_or_hostile(http: TestClient, job_id: str) -> None:
    page = http.get(f"/jobs/{job_id}/rows").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert page.count('dir="auto"') >= 4
    assert f">{LONG}</p>" in page  # all of it, behind its beginning


def test_a_deleted_file_leaves_the_rows_without_texts(http: TestClient, job_id: str) -> None:
    file_id = http.get(f"/v1/fine_tuning/jobs/{job_id}").json()["training_file"]
    assert http.delete(f"/v1/files/{file_id}").status_code == 200
    page = http.get(f"/jobs/{job_id}/rows").text
    assert "The file was deleted" in page
    assert len(re.findall('<th scope="row" class="number" data-label="Row">', page)) == 3


def test_without_predictions_there_is_no_tab(http: TestClient, database: Database) -> None:
    job_id = add_job(database, [0.6, None], model="tiny-bert")
    assert f'href="/jobs/{job_id}/rows"' not in http.get(f"/jobs/{job_id}").text
    assert "once the job has ended" in http.get(f"/jobs/{job_id}/rows").text


def test_a_storage_that_is_away_takes_no_other_tab_with_it(
    http: TestClient, job_id: str, settings: Settings
) -> None:
    """The report, the runs and the events come from the database."""
    storage = settings.home / "storage"
    away = storage.rename(settings.home / "away")
    try:
        answers = {tab: http.get(f"/jobs/{job_id}{tab}") for tab in ("", "/runs", "/events")}
        rows = http.get(f"/jobs/{job_id}/rows")
    finally:
        away.rename(storage)
    assert {tab: answer.status_code for tab, answer in answers.items()} == dict.fromkeys(
        answers, 200
    )
    assert f'href="/jobs/{job_id}/rows"' in answers[""].text
    assert rows.status_code == 503


def test_the_tab_is_there_with_predictions(http: TestClient, job_id: str) -> None:
    assert f'href="/jobs/{job_id}/rows"' in http.get(f"/jobs/{job_id}").text


def test_numbers_have_their_largest_errors_first(
    http: TestClient, settings: Settings, database: Database
) -> None:
    task = TASK.model_copy(
        update={"type": TaskType.REGRESSION, "label_names": [], "positive_label": None}
    )
    job_id = add_job(database, [0.6, 0.7], model="tiny-bert", task=task, metric="pearson")
    store_predictions(
        get_storage(settings),
        database,
        job_id,
        [(1, 1.0, 1.5, []), (2, 2.0, 4.0, [])],
        [(1, 1.0, 2.5, []), (2, 2.0, 4.0, [])],
    )
    page = ParsedPage(http.get(f"/jobs/{job_id}/rows?run=ensemble").text)
    rows = [row for row in page.rows if row[0] in ("1", "2") and len(row) == 6]
    assert [row[0] for row in rows] == ["2", "1"]
    assert rows[1][2:] == ["1.000", "2.000", "1.000", "0.707"]
    assert "confusion" not in page.text.lower()


def test_several_labels_are_counted_one_by_one(
    http: TestClient, settings: Settings, database: Database
) -> None:
    task = TASK.model_copy(update={"type": TaskType.MULTI_LABEL, "positive_label": None})
    job_id = add_job(database, [0.6], model="tiny-bert", task=task, metric="f1_micro")
    store_predictions(
        get_storage(settings),
        database,
        job_id,
        [(1, ["a", "b"], ["a"], [0.9, 0.2]), (2, [], [], [0.1, 0.3]), (3, ["b"], ["b"], [0, 0.8])],
    )
    page = ParsedPage(http.get(f"/jobs/{job_id}/rows").text)
    assert [cell.split()[0] for cell in page.row("b")] == ["2", "1", "1"]
    assert list_rows(http, job_id, "?wrong=1") == ["1"]
    assert sorted(list_rows(http, job_id, "?actual=b")) == ["1", "3"]


def test_many_labels_show_what_is_confused_most(
    http: TestClient, settings: Settings, database: Database
) -> None:
    names = [f"label {number:02}" for number in range(30)]
    task = TASK.model_copy(update={"label_names": names, "positive_label": None})
    job_id = add_job(database, [0.6], model="tiny-bert", task=task)
    scores = [1 / 30] * 30
    rows: list[StoredRow] = [(at + 1, names[0], names[1 + at % 2], scores) for at in range(5)]
    store_predictions(get_storage(settings), database, job_id, rows)
    page = http.get(f"/jobs/{job_id}/rows").text
    assert '<table class="matrix"' not in page
    pairs = [row for row in ParsedPage(page).rows if row[0] == names[0] and len(row) == 3]
    assert [(row[1], row[2].split()[0]) for row in pairs] == [(names[1], "3"), (names[2], "2")]


@pytest.mark.parametrize(
    "query", ["run=ftrun-none", "split=train", "sort=odd", "page=0", "page=x", "split=test"]
)
def test_a_wrong_filter_says_what_is_wrong(http: TestClient, job_id: str, query: str) -> None:
    answer = http.get(f"/jobs/{job_id}/rows?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in ParsedPage(answer.text).text


def test_a_filter_of_an_unknown_label_finds_nothing(http: TestClient, job_id: str) -> None:
    page = http.get(f"/jobs/{job_id}/rows", params={"actual": HOSTILE}).text
    assert "No row fits these filters" in page
    assert "<script>alert" not in page


def test_long_lists_have_pages(http: TestClient, settings: Settings, database: Database) -> None:
    job_id = add_job(database, [0.6], model="tiny-bert")
    rows: list[StoredRow] = [(at, "a", "b", [0.4, 0.6]) for at in range(1, 121)]
    store_predictions(get_storage(settings), database, job_id, rows)
    assert list_rows(http, job_id, "?sort=row&page=3") == [str(row) for row in range(101, 121)]
    page = http.get(f"/jobs/{job_id}/rows?sort=row&page=2&wrong=1").text
    assert "Page 2 of 3" in page
    assert "wrong=1&amp;sort=row&amp;page=3" in page
