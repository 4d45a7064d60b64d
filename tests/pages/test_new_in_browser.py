"""A new job in a real browser: with the mouse, by keyboard, without scripts, and as code."""

import re
import subprocess
import sys
from urllib.parse import urlencode

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.make import csv_bytes, review_csv
from tests.pages.browsing import (
    SCHEMES,
    WIDTHS,
    ColorScheme,
    Visitor,
    find_violations,
    is_scrolled_sideways,
)
from tests.stack import Stack

SETTINGS = urlencode({"model": "tiny-bert", "recipe.preset": "debiased", "runs.num_seeds": "2"})
HOSTILE = "<img src=x onerror=alert(1)>\u202e"
LONG = "long" * 2500


@pytest.fixture(scope="module")
def hostile_file(site: Stack) -> str:
    """The ID of a file whose names, labels and texts are markup, marks, and very long."""
    rows: list[tuple[str, ...]] = [
        (f"{HOSTILE} {LONG} {n}", f"{HOSTILE}{n % 2}", "x") for n in range(24)
    ]
    rows[3] = ("", *rows[3][1:])
    content = csv_bytes(rows, ("text", "label", HOSTILE + LONG))
    return str(site.upload(content, "<b>" + "name" * 50 + ".csv")["id"])


@pytest.fixture(scope="module")
def file_id(site: Stack) -> str:
    return str(site.upload(review_csv(40), "reviews.csv")["id"])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/new", 200),
        ("/new/{hostile}?model=tiny-bert", 200),
        ("/new/{hostile}/preview?model=tiny-bert", 200),
        ("/new/{file}/plan?" + SETTINGS, 200),
        ("/new/{file}/plan?seed=-1&suffix=%3Cb%3E", 422),
    ],
)
def test_a_step_has_no_violation(
    visitor: Visitor,
    file_id: str,
    hostile_file: str,
    path: str,
    status: int,
    width: int,
    scheme: ColorScheme,
) -> None:
    address = path.format(file=file_id, hostile=hostile_file)
    page = visitor.open(address, width=width, scheme=scheme, status=status)
    page.wait_for_load_state("networkidle")
    assert find_violations(page) == []
    assert not is_scrolled_sideways(page)
    if status != 200:
        visitor.errors.clear()  # the browser notes the status


def upload_defective(page: Page) -> None:
    """Pick a file with two defective rows."""
    rows: list[tuple[str, ...]] = [(f"This was number {n}", "ab"[n % 2]) for n in range(40)]
    rows[5], rows[11] = ("", "a"), ("A text", "")
    file = FilePayload(name="data.csv", mimeType="text/csv", buffer=csv_bytes(rows))
    page.get_by_label("Training data").set_input_files(file)
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_text("2 rows cannot be used.")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_from_a_file_with_two_defects_to_a_job(visitor: Visitor, scripts: bool) -> None:
    page = visitor.open("/new", scripts=scripts)
    upload_defective(page)
    problems = page.locator("table.problems tbody th")
    assert problems.all_inner_texts() == ["6", "12"]
    page.get_by_role("link", name="upload it again").click()
    file = FilePayload(name="data.csv", mimeType="text/csv", buffer=review_csv(40))
    page.get_by_label("Training data").set_input_files(file)
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_text("Every row can be used.")).to_be_visible()
    page.get_by_label("Model", exact=True).select_option("tiny-bert")
    page.get_by_role("radio", name="debiased").check()
    page.get_by_label("num seeds").fill("0")
    page.get_by_role("button", name="See the plan").click()
    expect(page.locator(".field-error")).to_contain_text("at least 1")
    page.get_by_label("num seeds").fill("2")
    page.get_by_role("button", name="See the plan").click()
    expect(page.get_by_role("heading", name=re.compile("2 runs"))).to_be_visible()
    page.get_by_role("button", name="Start the job").click()
    page.wait_for_url(re.compile("/jobs/[^/]+$"))
    expect(page.get_by_text("debiased").first).to_be_visible()
    page.get_by_role("link", name="Clone…").click()
    expect(page.get_by_label("num seeds")).to_have_value("2")
    visitor.errors.clear()  # the browser notes the status of the refused plan


def test_the_first_rows_come_by_themselves(visitor: Visitor, file_id: str) -> None:
    page = visitor.open(f"/new/{file_id}?model=tiny-bert")
    expect(page.get_by_role("heading", name="How the first rows are read")).to_be_visible()
    expect(page.locator("table.first-rows tbody tr")).to_have_count(10)


@pytest.mark.parametrize("language", ["Python", "curl"])
def test_the_code_creates_the_job_that_it_stands_beside(
    visitor: Visitor, site: Stack, file_id: str, language: str
) -> None:
    suffix = f"as {language}"
    values = {"suffix": suffix, "metadata": '{"it\'s": "$HOME `x` \\u202e"}', "seed": "7"}
    page = visitor.open(f"/new/{file_id}?{SETTINGS}&{urlencode(values)}")
    code = page.get_by_role("region", name=f"{language} commands").inner_text()
    command = [sys.executable, "-c"] if language == "Python" else ["bash", "-c"]
    done = subprocess.run([*command, code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    job = next(one for one in site.get("/v1/fine_tuning/jobs")["data"] if one["suffix"] == suffix)
    assert job["metadata"] == {"it's": "$HOME `x` \u202e"}
    assert (job["seed"], job["recipe"], job["runs_summary"]["total"]) == (
        7,
        {"preset": "debiased"},
        2,
    )
