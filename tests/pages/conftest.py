"""Fixtures: the pages in the test process, and in a real browser from a real API process."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from api.app import create_app
from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.infra.settings import Settings
from tests.api_settings import provide_settings
from tests.conftest import new_database
from tests.pages.browsing import Visitor
from tests.pages.forms import BROWSER
from tests.servers import redis_server
from tests.stack import Stack

expect.set_options(timeout=30_000)  # a machine with other work to do is slow

BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_dir: Path
) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("pages")
    url = new_database(request, request.param, home)
    with provide_settings(home, model_dir, url) as provided:
        yield provided


@pytest.fixture(scope="module")
def http(settings: Settings) -> Iterator[TestClient]:
    """A browser without scripts."""
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        client.headers.update(BROWSER)
        yield client


@pytest.fixture(scope="module")
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.resolved_database_url)
    yield database
    database.dispose()


def is_browser_required() -> bool:
    """Return whether the tests of pages must run; ``.ci/run`` decides it where CI runs."""
    default = "1" if os.environ.get("CI") else "0"
    return os.environ.get("EVENKEEL_REQUIRE_BROWSER", default) not in ("", "0")


def find_chromium() -> str:
    """Return the path of Chromium; skip the test without it, unless it is required."""
    found = os.environ.get("EVENKEEL_CHROMIUM") or shutil.which("chromium")
    if found is not None:
        return found
    if is_browser_required():
        pytest.fail("Chromium is required here and is not installed: apt-get install chromium")
    pytest.skip("no Chromium on PATH; install the package chromium to run the tests of pages")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    # its event loop must not outlive the module: other tests run their own
    with sync_playwright() as playwright:
        try:
            running = playwright.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        except PlaywrightError as error:
            if is_browser_required():
                raise
            pytest.skip(f"{path} does not start: {error.message.splitlines()[0]}")
        yield running
        running.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Stack]:
    """A service without a worker."""
    home = tmp_path_factory.mktemp("site")
    url = f"sqlite:///{home / 'test.db'}"
    apply_migrations(url)
    with redis_server() as redis:
        stack = Stack(home, url, redis, model_dir, slots=2)
        try:
            stack.start("api")
            yield stack
        finally:
            stack.close()


@pytest.fixture(scope="module")
def site_database(site: Stack) -> Iterator[Database]:
    database = Database(site.database_url)
    yield database
    database.dispose()


@pytest.fixture
def visitor(browser: Browser, site: Stack) -> Iterator[Visitor]:
    """Somebody with a browser, in which nothing may go wrong unseen."""
    somebody = Visitor(browser, f"http://127.0.0.1:{site.port}")
    yield somebody
    somebody.close()
