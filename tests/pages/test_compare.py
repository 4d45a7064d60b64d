"""Compared jobs: the numbers of the API, missing seeds, what differs, and what is refused."""

import pytest
from fastapi.testclient import TestClient

from shared.db.session import Database
from shared.domain.job_facts import DatasetFacts, RowCounts
from tests.api.scored_jobs import HIGH, LOW, add_job
from tests.pages.forms import BROWSER, find_token
from tests.shared.report.parsed_page import ParsedPage

COMPARISONS = "/v1/fine_tuning/comparisons"


def compare(http: TestClient, *job_ids: str, more: str = "") -> ParsedPage:
    """Open the comparison of the jobs."""
    answer = http.get(f"/compare?{'&'.join(f'job={job_id}' for job_id in job_ids)}{more}")
    assert answer.status_code == 200, answer.text
    return ParsedPage(answer.text)


@pytest.fixture(scope="module")
def pair(database: Database) -> tuple[str, str]:
    low = add_job(database, LOW, preset="conventional", suffix="before", model="tiny-bert")
    return low, add_job(database, HIGH, suffix="after", model="tiny-bert")


def test_equal_scores_are_shown_without_a_spread_of_zero(
    http: TestClient, database: Database
) -> None:
    jobs = [add_job(database, [score] * 5, suffix=f"all {score}") for score in (0.6, 0.7)]
    page = compare(http, *jobs)
    rows = [" ".join(row) for row in page.rows]
    assert any("0.600 all equal (5)" in row for row in rows), rows
    assert any("0.700 all equal (5)" in row for row in rows), rows
    [picture] = [a for tag, a in page.elements if tag == "img" and "scores" in str(a["src"])]
    assert "± 0.000" not in str(picture["alt"])


class TestPair:
    def test_the_verdict_and_the_numbers_are_those_of_the_api(
        self, http: TestClient, pair: tuple[str, str]
    ) -> None:
        [made] = http.post(COMPARISONS, json={"job_ids": list(pair)}).json()["pairs"]
        page = compare(http, *pair)
        assert made["verdict"]["text"] in " ".join(page.text.split())
        assert page.row("difference of means") == [f"{made['difference']:.3f}"]

    def test_looking_stores_nothing(self, http: TestClient, pair: tuple[str, str]) -> None:
        before = http.get(COMPARISONS).json()
        compare(http, *pair)
        assert http.get(COMPARISONS).json() == before

    def test_what_differs_is_named_once(self, http: TestClient, pair: tuple[str, str]) -> None:
        page = compare(http, *pair)
        assert page.row("preset") == ["conventional", "stabilized"]
        shown = page.text.partition("What differs")[2].partition("The jobs")[0]
        assert "optimizer" not in shown

    def test_another_metric_and_level(self, http: TestClient, pair: tuple[str, str]) -> None:
        page = compare(http, *pair, more="&metric=f1&alpha=0.01")
        assert "f1 on the same validation rows, significance level 0.01" in " ".join(
            page.text.split()
        )
        assert page.row("difference of means") == ["0.050"]

    def test_the_strip_is_a_picture_of_both_jobs(
        self, http: TestClient, pair: tuple[str, str]
    ) -> None:
        page = compare(http, *pair)
        [picture] = [a for tag, a in page.elements if tag == "img" and "scores" in str(a["src"])]
        assert "conventional: mean 0.605 ± 0.010, n = 6" in str(picture["alt"])
        answer = http.get(str(picture["src"]))
        assert answer.headers["content-type"] == "image/svg+xml"
        assert "conventional" in answer.text


class TestMissingSeeds:
    def test_as_many_as_are_missing_can_be_added(
        self, http: TestClient, database: Database
    ) -> None:
        few = add_job(database, HIGH[:2], suffix="few", model="tiny-bert")
        many = add_job(database, LOW, suffix="many", model="tiny-bert")
        answer = http.get(f"/compare?job={few}&job={many}")
        page = ParsedPage(answer.text)
        [made] = http.post(COMPARISONS, json={"job_ids": [few, many]}).json()["pairs"]
        needed = made["verdict"]["seeds_needed"]
        assert f"{needed - 2} more needed" in page.text
        assert f'action="/jobs/{few}/extend"' in answer.text
        assert f'action="/jobs/{many}/extend"' not in answer.text
        assert find_token(answer.text)

    def test_open_runs_count_and_keep_the_page_alive(
        self, http: TestClient, database: Database
    ) -> None:
        scores = [*HIGH[:2], None, None]
        waits = add_job(database, scores, suffix="open", status="running", model="tiny-bert")
        other = add_job(database, LOW, model="tiny-bert")
        answer = http.get(f"/compare?job={waits}&job={other}")
        page = ParsedPage(answer.text)
        assert "2 scores and 2 open runs: enough once they have ended" in page.text
        assert "Provisional" in page.text
        assert "data-poll" in answer.text

    def test_enough_seeds_are_not_mentioned(self, http: TestClient, pair: tuple[str, str]) -> None:
        assert "More seeds are needed" not in compare(http, *pair).text


def test_several_jobs_have_a_table_of_pairs(
    http: TestClient, database: Database, pair: tuple[str, str]
) -> None:
    third = add_job(database, LOW, model="tiny-bert", preset="debiased")
    page = compare(http, *pair, third)
    assert page.row("stabilized − conventional")[:2] == ["stabilized better", "0.100"]
    assert page.row("debiased − conventional")[0] == "no difference shown"


class TestRefused:
    def test_jobs_on_other_rows_are_refused_with_the_choice(
        self, http: TestClient, database: Database, pair: tuple[str, str]
    ) -> None:
        rows = RowCounts(train=64, validation=16, test=0)
        other = DatasetFacts(rows=rows, training_sha256="other", validation_sha256=None)
        foreign = add_job(database, LOW, dataset=other)
        answer = http.get(f"/compare?job={pair[0]}&job={foreign}")
        assert answer.status_code == 400
        assert "differ in their files" in answer.text
        assert f'value="{foreign}" aria-label="Compare {foreign}" checked' in answer.text

    @pytest.mark.parametrize("count", [0, 1])
    def test_too_few_jobs_are_asked_for(
        self, http: TestClient, pair: tuple[str, str], count: int
    ) -> None:
        page = compare(http, *pair[:count])
        assert "Tick two to eight jobs" in page.text

    def test_too_many_jobs_are_asked_for_as_well(
        self, http: TestClient, database: Database
    ) -> None:
        many = [add_job(database, LOW) for _ in range(9)]
        assert "9 jobs are ticked" in compare(http, *many).text

    def test_a_job_that_does_not_exist(self, http: TestClient, pair: tuple[str, str]) -> None:
        answer = http.get(f"/compare?job={pair[0]}&job=ftjob-none", headers=BROWSER)
        assert answer.status_code == 404


def test_names_are_text(http: TestClient, database: Database) -> None:
    hostile = "<b>x</b>\u202e" + "long" * 2500
    jobs = [add_job(database, LOW, suffix=hostile, model=hostile) for _ in range(2)]
    for path in (f"/compare?job={jobs[0]}&job={jobs[1]}", "/compare"):
        assert "<b>x" not in http.get(path).text


def test_the_list_of_jobs_leads_here(http: TestClient, pair: tuple[str, str]) -> None:
    page = http.get("/jobs").text
    assert 'action="/compare"' in page
    assert f'name="job" value="{pair[0]}"' in page
