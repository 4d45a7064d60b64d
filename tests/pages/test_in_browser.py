"""The first screens in a real browser: readable, live, by keyboard, without scripts."""

import re

import pytest
from playwright.sync_api import expect

from shared.db.events import Events
from shared.db.session import Database
from shared.db.tables import Job, Run
from tests.api.scored_jobs import HIGH, LOW, add_job
from tests.pages.browsing import (
    SCHEMES,
    WIDTHS,
    ColorScheme,
    Visitor,
    find_violations,
    is_scrolled_sideways,
)
from tests.stack import Stack

HOSTILE = "<img src=x onerror=alert(1)>\u202e" + "long" * 40


@pytest.fixture(scope="module")
def job_id(site_database: Database) -> str:
    """An ended job beside one with a name that is no name."""
    add_job(site_database, LOW, suffix=HOSTILE, model="tiny-bert")
    return add_job(site_database, HIGH, suffix="reviews", model="tiny-bert")


def add_open_job(database: Database) -> str:
    return add_job(database, [0.7, None], suffix="open", status="running")


def record_news(database: Database, job_id: str, message: str, step: int) -> None:
    """Move the open run on, as a worker does."""
    with database.write() as session:
        run = session.query(Run).filter_by(job_id=job_id, index=1).one()
        run.step = step
        Events(session).add(session.get_one(Job, job_id), message)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
class TestReadable:
    @pytest.mark.parametrize(
        "path", ["/jobs", "/jobs?q=nowhere", "{job}", "{job}/runs", "{job}/events", "{job}/delete"]
    )
    def test_a_screen_has_no_violation(
        self, visitor: Visitor, job_id: str, path: str, width: int, scheme: ColorScheme
    ) -> None:
        page = visitor.open(path.format(job=f"/jobs/{job_id}"), width=width, scheme=scheme)
        assert find_violations(page) == []
        assert not is_scrolled_sideways(page)

    def test_an_error_has_no_violation(
        self, visitor: Visitor, width: int, scheme: ColorScheme
    ) -> None:
        page = visitor.open("/jobs/none", width=width, scheme=scheme, status=404)
        assert find_violations(page) == []


def test_the_figure_has_the_colors_of_the_scheme(visitor: Visitor, job_id: str) -> None:
    for scheme in SCHEMES:
        page = visitor.open(f"/jobs/{job_id}", scheme=scheme)
        figure = page.locator("picture.scores img")
        script = "image => image.decode().then(() => image.currentSrc)"
        assert f"/{scheme}.svg" in figure.evaluate(script)


def test_a_job_moves_while_it_trains(visitor: Visitor, site_database: Database) -> None:
    job_id = add_open_job(site_database)
    page = visitor.open(f"/jobs/{job_id}/events")
    expect(page.get_by_text("Halfway there.")).to_have_count(0)
    record_news(site_database, job_id, "Halfway there.", 5)
    expect(page.get_by_text("Halfway there.")).to_be_visible()
    expect(page.locator("ul.runs progress").nth(1)).to_have_attribute("value", "5")
    with site_database.write() as session:
        session.query(Run).filter_by(job_id=job_id, index=1).update({"status": "failed"})
        session.get_one(Job, job_id).status = "succeeded"
    expect(page.locator("#announcement")).to_have_text("open: succeeded")
    expect(page.locator("main")).not_to_have_attribute("data-stream", re.compile("."))


def test_what_has_the_focus_is_not_replaced(visitor: Visitor, site_database: Database) -> None:
    job_id = add_open_job(site_database)
    page = visitor.open(f"/jobs/{job_id}")
    field = page.get_by_label("Number of further seeds")
    field.fill("17")
    record_news(site_database, job_id, "News.", 7)
    expect(page.locator("ul.runs progress").nth(1)).to_have_attribute("value", "7")
    expect(field).to_have_value("17")
    expect(field).to_be_focused()


def test_a_hidden_tab_holds_no_stream(visitor: Visitor, site_database: Database) -> None:
    job_id = add_open_job(site_database)
    page = visitor.open(f"/jobs/{job_id}/events")
    set_hidden = """hidden => {
        Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(set_hidden, True)
    record_news(site_database, job_id, "Unseen.", 3)
    page.wait_for_timeout(2500)
    expect(page.get_by_text("Unseen.")).to_have_count(0)
    page.evaluate(set_hidden, False)
    expect(page.get_by_text("Unseen.")).to_be_visible()


def test_the_list_by_keyboard_alone(visitor: Visitor, job_id: str) -> None:
    page = visitor.open("/jobs")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("reviews")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs?q=reviews*")
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{job_id}")


def test_reading_and_deleting_without_scripts(
    visitor: Visitor, site_database: Database, job_id: str
) -> None:
    doomed = add_job(site_database, LOW, suffix="doomed")
    page = visitor.open("/jobs", scripts=False)
    page.get_by_role("link", name="reviews").click()
    expect(page.get_by_text("The seeds agree").first).to_be_visible()
    page.get_by_role("link", name="Runs").click()
    page.get_by_role("link", name="Score").click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Score")
    page.goto(f"{visitor.url}/jobs/{doomed}")
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete the job").click()
    page.wait_for_url("**/jobs")
    expect(page.get_by_text("doomed")).to_have_count(0)


def test_a_killed_service_is_said_and_survived(
    visitor: Visitor, site: Stack, site_database: Database
) -> None:
    job_id = add_open_job(site_database)
    page = visitor.open(f"/jobs/{job_id}/events")
    record_news(site_database, job_id, "Before.", 1)
    expect(page.get_by_text("Before.")).to_be_visible()
    site.kill("api")
    banner = page.locator("#connection")
    expect(banner).to_have_text(re.compile(r"As of \d\d:\d\d:\d\d, connecting again"))
    record_news(site_database, job_id, "Meanwhile.", 2)
    site.start("api")
    expect(page.get_by_text("Meanwhile.")).to_be_visible()
    expect(banner).to_be_hidden()
    visitor.errors.clear()  # the browser notes the refused connections
