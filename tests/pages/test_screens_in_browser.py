"""Compare, Models, Files, Queue and Usage in a real browser: readable, live, without scripts."""

import pytest
from playwright.sync_api import expect

from shared.db.session import Database
from shared.db.tables import Run
from shared.db.workers import Workers
from tests.api.scored_jobs import HIGH, LOW, add_job
from tests.make import review_csv
from tests.pages.browsing import (
    SCHEMES,
    WIDTHS,
    ColorScheme,
    Visitor,
    find_violations,
    is_scrolled_sideways,
)
from tests.stack import Stack

HOSTILE = "<img src=x onerror=alert(1)>\u202e" + "long" * 2500


@pytest.fixture(scope="module")
def addresses(site: Stack, site_database: Database) -> dict[str, str]:
    """Addresses of screens that have something to show, names that are no names among it."""
    jobs = [
        add_job(site_database, HIGH, suffix="reviews", model="tiny-bert"),
        add_job(site_database, LOW[:2], "conventional", suffix="before", model="tiny-bert"),
        add_job(site_database, HIGH[:3], "debiased", suffix=HOSTILE, model=HOSTILE),
    ]
    add_job(site_database, [0.7, None, None], suffix=HOSTILE, status="queued", model=HOSTILE)
    file_id = site.upload(review_csv(40), "<i>" + "n" * 240 + ".csv")["id"]
    with site_database.write() as session:
        Workers(session).record_heartbeat("worker@" + HOSTILE, HOSTILE, ["cpu", "cpu"])
    return {
        "two": f"/compare?job={jobs[0]}&job={jobs[1]}",
        "three": "/compare?" + "&".join(f"job={job_id}" for job_id in jobs),
        "choose": "/compare",
        "models": "/models",
        "files": "/files",
        "file": f"/files/{file_id}",
        "delete": f"/files/{file_id}/delete",
        "queue": "/queue",
        "usage": "/usage",
    }


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_screen_has_no_violation(
    visitor: Visitor, addresses: dict[str, str], width: int, scheme: ColorScheme
) -> None:
    page = visitor.open("/jobs", width=width, scheme=scheme)
    for name, path in addresses.items():
        page.goto(visitor.url + path)
        assert find_violations(page) == [], name
        assert not is_scrolled_sideways(page), name


@pytest.mark.usefixtures("addresses")
def test_ticked_jobs_are_compared(visitor: Visitor) -> None:
    page = visitor.open("/jobs")
    button = page.get_by_role("button", name="Compare ticked jobs")
    page.get_by_label("Compare reviews").check()
    expect(button).to_be_disabled()
    page.get_by_label("Compare before").check()
    expect(button).to_be_enabled()
    button.click()
    expect(page.get_by_role("heading", name="2 jobs compared")).to_be_visible()
    figure = page.locator("picture.scores img")
    assert figure.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300


def test_the_queue_moves_by_itself(visitor: Visitor, site_database: Database) -> None:
    job_id = add_job(site_database, [0.7, None], suffix="moves", status="running")
    page = visitor.open("/queue")
    row = page.get_by_role("table", name="Jobs with waiting runs").locator("tr", has_text="moves")
    expect(row).to_have_count(1)
    with site_database.write() as session:
        session.query(Run).filter_by(job_id=job_id, index=1).update({"status": "failed"})
    expect(row).to_have_count(0)


@pytest.mark.usefixtures("addresses")
def test_comparing_and_deleting_without_scripts(visitor: Visitor, site: Stack) -> None:
    file_id = site.upload(review_csv(20), "doomed.csv")["id"]
    page = visitor.open("/jobs", scripts=False)
    page.get_by_label("Compare reviews").check()
    page.get_by_label("Compare before").check()
    page.get_by_role("button", name="Compare ticked jobs").click()
    expect(page.get_by_text("More seeds are needed")).to_be_visible()
    page.goto(f"{visitor.url}/files")
    page.get_by_role("link", name="doomed.csv").click()
    with page.expect_download() as started:
        page.get_by_role("link", name="Download").click()
    assert started.value.path().read_bytes() == review_csv(20)
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete the file").click()
    page.wait_for_url("**/files")
    assert site.http.get(f"/v1/files/{file_id}").status_code == 404
