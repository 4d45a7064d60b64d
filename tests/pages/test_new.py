"""The steps of a new job without a browser: what each shows, refuses and creates."""

import csv
import io
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from fastapi.testclient import TestClient

from tests.api.job_requests import JOBS, REQUEST
from tests.make import csv_bytes, review_csv
from tests.pages.forms import find_token
from tests.shared.report.parsed_page import ParsedPage

SETTINGS = {"model": "tiny-bert", "recipe.preset": "debiased", "runs.num_seeds": "2"}
HOSTILE = '<b onclick="x">\u202e'


def upload(http: TestClient, content: bytes, filename: str = "reviews.csv") -> str:
    """Upload a file by the form, and return the path of the next step."""
    form = {"csrf": find_token(http.get("/new").text)}
    answer = http.post(
        "/new", data=form, files={"file": (filename, content)}, follow_redirects=False
    )
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


@pytest.fixture(scope="module")
def path(http: TestClient) -> str:
    return upload(http, review_csv(40))


def start(http: TestClient, path: str, **settings: str) -> Any:
    """Open the plan and start the job that it shows."""
    page = http.get(f"{path}/plan?{urlencode(settings)}").text
    fields = dict(re.findall('type="hidden" name="([a-z]+)" value="([^"]*)"', page))
    form = {name: unescape(value) for name, value in fields.items()}
    return http.post(f"{path}/start", data=form, follow_redirects=False)


def find_message(page: str, name: str) -> str:
    """Return what stands beside a field."""
    found = re.search(f'id="error-{re.escape(name)}">([^<]*)<', page)
    assert found is not None, page
    assert f'aria-describedby="error-{name} ' in page
    return unescape(found[1])


class TestUpload:
    def test_a_file_that_is_no_table_is_refused_beside_the_field(self, http: TestClient) -> None:
        form = {"csrf": find_token(http.get("/new").text)}
        answer = http.post("/new", data=form, files={"file": ("a.csv", b"\xff\xfe\x00\x01")})
        assert answer.status_code in (415, 422)
        assert 'aria-describedby="error about-file" aria-invalid="true"' in answer.text

    def test_no_file_is_asked_for(self, http: TestClient) -> None:
        form = {"csrf": find_token(http.get("/new").text)}
        answer = http.post("/new", data=form, files={"file": ("", b"")})
        assert answer.status_code == 400
        assert "No file was chosen" in answer.text

    def test_an_earlier_file_is_offered(self, http: TestClient, path: str) -> None:
        assert f'<a href="{path}">reviews.csv</a>' in http.get("/new").text


class TestProfile:
    def test_rows_that_cannot_be_used_are_shown_by_number(self, http: TestClient) -> None:
        rows: list[tuple[str, ...]] = [(f"text {n}", "ab"[n % 2]) for n in range(40)]
        rows[5], rows[11] = ("", "a"), ("a text", "")
        page = ParsedPage(http.get(upload(http, csv_bytes(rows))).text)
        shown = [row for row in page.rows if len(row) == 4 and row[0].isdigit()]
        assert [row[0] for row in shown] == ["6", "12"]
        assert "2 rows cannot be used." in page.text

    def test_all_problems_are_there_as_csv(self, http: TestClient) -> None:
        rows: list[tuple[str, ...]] = [(f"text {n}", "a") for n in range(50)]
        rows += [("", "b") for _ in range(70)]
        content = csv_bytes(rows) + b"a,b,c,d\n" * 150
        page_path = upload(http, content)
        assert "The first 100 are shown." in http.get(page_path).text
        answer = http.get(f"{page_path}/problems.csv")
        assert answer.headers["content-type"].startswith("text/csv")
        problems = list(csv.DictReader(io.StringIO(answer.text)))
        assert [int(row["row"]) for row in problems] == list(range(51, 271))

    def test_another_column_changes_profile_and_preview(self, http: TestClient) -> None:
        rows: list[tuple[str, ...]] = [(f"text {n}", "ab"[n % 2], "xyz"[n % 3]) for n in range(40)]
        page_path = upload(http, csv_bytes(rows, ("text", "label", "kind")))
        query = urlencode({"model": "tiny-bert", "task.label_column": "kind"})
        page = ParsedPage(http.get(f"{page_path}?{query}").text)
        assert page.row("z")[-1] == "13"
        preview = ParsedPage(http.get(f"{page_path}/preview?{query}").text)
        assert [row[2] for row in preview.rows if row[0] in ("1", "2")] == ["x", "y"]

    def test_columns_without_names_are_chosen_by_index(self, http: TestClient) -> None:
        lines = [f"This is sentence number {n}.,{'ab'[n % 2]}" for n in range(40)]
        page_path = upload(http, "\n".join(lines).encode())
        columns = {"task.header": "false", "task.text_column": "0", "task.label_column": "1"}
        page = http.get(f"{page_path}/preview?{urlencode({'model': 'tiny-bert', **columns})}").text
        assert "sentence number 0" in page


class TestSettings:
    def test_empty_fields_do_not_stay_in_the_address(self, http: TestClient, path: str) -> None:
        answer = http.get(f"{path}?suffix=&model=tiny-bert", follow_redirects=False)
        assert answer.headers["location"] == f"{path}?model=tiny-bert"

    def test_every_setting_of_a_request_has_a_field(self, http: TestClient, path: str) -> None:
        page = http.get(path).text
        schema = http.get("/openapi.json").json()["components"]["schemas"]
        for name in schema["RecipeRequest"]["properties"]:
            assert f'name="recipe.{name}"' in page
        text = " ".join(ParsedPage(page).text.split())
        assert "Peak learning rate, reached at the end of the warm-up" in text

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("recipe.learning_rate", "7", "at most 0.01"),
            ("recipe.learning_rate", "fast", "must be"),
            ("runs.num_seeds", "0", "at least 1"),
            ("suffix", "<b>", "letters"),
            ("task.label_column", "nowhere", "no column"),
            ("validation_file", "file-none", "file-none"),
            ("metadata", "[1]", "must be an object"),
            ("recipe.adam_beta1", "NaN", "must be"),
        ],
    )
    def test_a_refused_value_is_named_beside_its_field(
        self, http: TestClient, path: str, name: str, value: str, message: str
    ) -> None:
        answer = http.get(f"{path}/plan?{urlencode({'model': 'tiny-bert', name: value})}")
        assert 400 <= answer.status_code < 500
        assert message in find_message(answer.text, name)
        assert "<b>" not in answer.text

    def test_two_refused_values_are_both_named(self, http: TestClient, path: str) -> None:
        query = urlencode({"model": "tiny-bert", "seed": "-1", "split.k": "x"})
        page = http.get(f"{path}/plan?{query}").text
        assert find_message(page, "seed")
        assert find_message(page, "split.k")

    def test_an_unknown_setting_is_refused(self, http: TestClient, path: str) -> None:
        assert http.get(f"{path}?recipe.colour=red").status_code == 400

    @pytest.mark.parametrize("value", ["[" * 20_000, '"\\ud800"', "9" * 5000, HOSTILE * 500])
    def test_a_hostile_value_is_shown_as_text(
        self, http: TestClient, path: str, value: str
    ) -> None:
        for name in ("recipe.class_weights", "task.text_column", "metadata"):
            answer = http.get(f"{path}/plan?{urlencode({name: value})}")
            assert 400 <= answer.status_code < 500
            assert "<b " not in answer.text

    def test_a_hostile_file_is_shown_as_text(self, http: TestClient) -> None:
        long = "very" * 2500
        rows: list[tuple[str, ...]] = [(HOSTILE + long, f"{HOSTILE}{n % 2}") for n in range(20)]
        page_path = upload(http, csv_bytes(rows, ("text", HOSTILE)), "<i>name.csv")
        query = urlencode({"model": "tiny-bert", "task.label_column": HOSTILE})
        for step in ("", "/preview", "/plan"):
            answer = http.get(f"{page_path}{step}?{query}")
            assert answer.status_code in (200, 400)
            assert "<b " not in answer.text
            assert "<i>" not in answer.text
            assert len(answer.text) < 200_000


class TestPlanAndStart:
    def test_the_plan_is_that_of_the_api(self, http: TestClient, path: str) -> None:
        body: dict[str, Any] = {"training_file": path.removeprefix("/new/"), "model": "tiny-bert"}
        body |= {"recipe": {"preset": "debiased"}, "runs": {"num_seeds": 2}}
        plan = http.post(f"{JOBS}?dry_run=true", json=body).json()
        page = ParsedPage(http.get(f"{path}/plan?{urlencode(SETTINGS)}").text)
        assert page.row("training")[0] == str(plan["dataset"]["rows"]["train"])
        assert f"{plan['estimate']['steps']} steps in all" in page.text
        assert plan["estimate"]["reason"] in page.text
        for note in plan["recipe_notes"].values():
            assert " ".join(note.split()) in " ".join(page.text.split())

    def test_a_form_that_is_sent_twice_starts_one_job(self, http: TestClient, path: str) -> None:
        page = http.get(f"{path}/plan?{urlencode(SETTINGS)}").text
        fields = dict(re.findall('type="hidden" name="([a-z]+)" value="([^"]*)"', page))
        form = {name: unescape(value) for name, value in fields.items()}
        answers = [http.post(f"{path}/start", data=form, follow_redirects=False) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [303, 303]
        assert answers[0].headers["location"] == answers[1].headers["location"]

    def test_a_job_that_is_refused_at_its_start_shows_the_form(
        self, http: TestClient, path: str
    ) -> None:
        token = find_token(http.get("/new").text)
        form = {"csrf": token, "settings": "model=nobody"}
        answer = http.post(f"{path}/start", data=form)
        assert answer.status_code == 400
        assert "nobody" in find_message(answer.text, "model")


def test_a_clone_fills_the_form_in(http: TestClient, path: str) -> None:
    body = {**REQUEST, "training_file": path.removeprefix("/new/")}
    body["task"] = {"label_names": ["good", "bad, or so"], "max_seq_length": 32}
    body["task"]["label_names"] = ["bad", "good"]
    body["recipe"] = {"preset": "reinit", "reinit_layers": [0, 1], "class_weights": {"bad": 2.0}}
    original = http.post(JOBS, json=body).json()
    answer = http.get(f"/jobs/{original['id']}/clone", follow_redirects=False)
    assert answer.headers["location"].startswith(f"{path}?")
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["recipe.preset"] == ["reinit"]
    settings = {name: values[0] for name, values in query.items()}
    started = start(http, path, **settings)
    clone = http.get(f"{JOBS}/{started.headers['location'].removeprefix('/jobs/')}").json()
    same = ("recipe", "task", "split", "resolved_recipe", "seed", "suffix", "metadata")
    assert {name: clone[name] for name in same} == {name: original[name] for name in same}
    assert clone["hyperparameters"] == original["hyperparameters"]
