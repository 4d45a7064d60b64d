"""The tabs of a job in a real browser: readable everywhere, with whatever users have written."""

import pytest
from playwright.sync_api import expect

from shared.db.session import Database
from shared.db.tables import Job
from shared.infra.storage import Storage
from tests.make import csv_bytes
from tests.pages.browsing import (
    SCHEMES,
    WIDTHS,
    ColorScheme,
    Visitor,
    find_violations,
    is_scrolled_sideways,
)
from tests.pages.trained_jobs import StoredRow, add_curves, add_model_job, store_predictions
from tests.rows import TASK
from tests.stack import Stack

LABELS = ["<img src=x onerror=alert(1)>\u202e", "long" * 60]
TEXTS = ["<script>alert(1)</script>", "\u202eright to left \u05e9\u05dc\u05d5\u05dd", "x" * 10_000]
TABS = ("curves", "rows", "data", "recipe", "model")


@pytest.fixture(scope="module")
def job_id(site: Stack, site_database: Database) -> str:
    """A job with everything, whose file and labels are hostile."""
    rows: list[tuple[str, ...]] = [
        (text, LABELS[place % 2]) for place, text in enumerate([*TEXTS, "a text"])
    ]
    file = site.upload(csv_bytes(rows), f"{'name' * 50}<b>.csv")
    task = TASK.model_copy(update={"label_names": LABELS, "positive_label": LABELS[1]})
    job_id = add_model_job(
        site_database, task=task, training_file=file["id"], result_files=[file["id"]]
    )
    add_curves(site_database, job_id)
    predicted: list[StoredRow] = [
        (row, LABELS[(row + 1) % 2], LABELS[row // 2 % 2], [0.5, 0.5]) for row in range(1, 5)
    ]
    storage = Storage((site.home / "storage").as_uri())
    store_predictions(storage, site_database, job_id, *[predicted] * 6)
    with site_database.write() as session:
        session.get_one(Job, job_id).recipe_notes = {"reinit_layers": f"1: {LABELS[0]}"}
    return job_id


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("tab", TABS)
def test_a_tab_has_no_violation(
    visitor: Visitor, job_id: str, tab: str, width: int, scheme: ColorScheme
) -> None:
    page = visitor.open(f"/jobs/{job_id}/{tab}", width=width, scheme=scheme)
    expect(page.get_by_role("link", name=tab.capitalize(), exact=True)).to_have_attribute(
        "aria-current", "page"
    )
    for part in page.locator("details").all():
        part.evaluate("details => { details.open = true; }")
    assert find_violations(page) == []
    assert not is_scrolled_sideways(page)


def test_pictures_keep_their_place(visitor: Visitor, job_id: str) -> None:
    page = visitor.open(f"/jobs/{job_id}/curves")
    picture = page.locator("picture.training img").first
    before = picture.bounding_box()
    picture.evaluate("image => image.decode()")
    assert picture.bounding_box() == before
    page.get_by_text("Numbers of the training loss").click()
    expect(page.get_by_role("region", name="Numbers of the training loss")).to_be_visible()


def test_from_a_count_to_its_rows_and_to_an_answer_without_scripts(
    visitor: Visitor, job_id: str
) -> None:
    page = visitor.open(f"/jobs/{job_id}/rows", scripts=False)
    page.locator("table.matrix a").first.click()
    expect(page.locator("table.matrix [aria-current]")).to_have_count(1)
    expect(page.get_by_role("link", name="All rows")).to_be_visible()
    page.get_by_role("link", name="Model", exact=True).click()
    page.get_by_label("Text", exact=True).fill(TEXTS[1])
    page.get_by_role("button", name="Answer").click()
    expect(page.get_by_role("alert")).to_be_visible()  # the model of this test has no weights
    expect(page.get_by_label("Text", exact=True)).to_have_value(TEXTS[1])
    visitor.errors.clear()  # the browser notes the status
