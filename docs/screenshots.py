"""Pictures of the web page, taken with Chromium from a service that trains the sample data set.

Run it as ``make screenshots``. It takes a few minutes: the jobs are trained for real. To have
another picture, add it to ``SHOTS``.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
from playwright.sync_api import Page, sync_playwright

from cli.demo import run_child_service

FOLDER: Final = Path(__file__).parent / "screenshots"
WIDTH: Final = 1200
MAX_BYTES: Final = 150_000
TRAINING_TIMEOUT_S: Final = 1800.0
POLL_INTERVAL_S: Final = 2.0
JOBS: Final = "/v1/fine_tuning/jobs"
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run")


class Shot(NamedTuple):
    """A picture: its name, the address with ``{job}``, ``{other}`` and ``{file}``, its height."""

    name: str
    path: str
    height: int
    scheme: str = "light"


SHOTS: Final = (
    Shot("jobs", "/jobs", 560),
    Shot("new-job", "/new/{file}?recipe.preset=debiased&runs.num_seeds=5", 820),
    Shot("job-report", "/jobs/{job}", 1000),
    Shot("job-curves", "/jobs/{job}/curves", 1000),
    Shot("job-rows", "/jobs/{job}/rows", 1000),
    Shot("job-model", "/jobs/{job}/model", 900),
    Shot("compare", "/compare?job={job}&job={other}", 900),
)


def main() -> None:
    """Train the jobs and take all pictures. Raises RuntimeError for a picture that is too large."""
    chromium = os.environ.get("EVENKEEL_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is not on PATH: install the package chromium, or set EVENKEEL_CHROMIUM.")
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="evenkeel-screenshots-") as folder,
        run_child_service(Path(folder)) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, reduced_motion="reduce")
        names = _train_jobs(url, page)
        sizes = {shot.name: _take(page, url, shot, names) for shot in SHOTS}
        browser.close()
    large = [name for name, size in sizes.items() if size > MAX_BYTES]
    if large:
        raise RuntimeError(f"Larger than {MAX_BYTES:,} bytes, so make them less high: {large}")


def _train_jobs(url: str, page: Page) -> dict[str, str]:
    """Train the sample as its button does, and again with another preset; return the IDs."""
    page.goto(f"{url}/jobs")
    page.get_by_role("button", name="Train on the sample data set").click()
    page.wait_for_url(f"{url}/jobs/ftjob-*")
    job_id = page.url.rpartition("/")[2]
    with httpx.Client(base_url=url, timeout=60) as client:
        changes = {"suffix": "conventional", "recipe": {"preset": "conventional"}}
        other = _answer(client.post(f"{JOBS}/{job_id}/clone", json=changes))
        _await_success(client, job_id)
        _await_success(client, other["id"])
    return {"job": job_id, "other": other["id"], "file": other["training_file"]}


def _await_success(client: httpx.Client, job_id: str) -> None:
    deadline = time.monotonic() + TRAINING_TIMEOUT_S
    while (job := _answer(client.get(f"{JOBS}/{job_id}")))["status"] != "succeeded":
        if job["status"] in ("failed", "cancelled") or time.monotonic() > deadline:
            raise RuntimeError(f"{job_id} is {job['status']}: {job['error']}")
        time.sleep(POLL_INTERVAL_S)


def _answer(response: httpx.Response) -> dict[str, Any]:
    return dict(response.raise_for_status().json())


def _take(page: Page, url: str, shot: Shot, names: dict[str, str]) -> int:
    """Take a picture and return its size in bytes."""
    page.emulate_media(color_scheme="dark" if shot.scheme == "dark" else "light")
    page.set_viewport_size({"width": WIDTH, "height": shot.height})
    page.goto(url + shot.path.format_map(names))
    page.wait_for_load_state("networkidle")
    page.evaluate("Promise.all([...document.images].map(image => image.decode()))")
    path = FOLDER / f"{shot.name}.png"
    page.screenshot(path=path)
    size = path.stat().st_size
    sys.stdout.write(f"{path}: {size:,} bytes\n")
    return size


if __name__ == "__main__":
    main()
