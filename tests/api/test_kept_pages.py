"""Pages and pictures of ended jobs are drawn once, those of open jobs once in a few seconds."""

import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import update

from api.app import create_app
from api.dependencies import AppServices
from api.reports import drawing as drawing_module
from api.reports.page_cache import PageCache, compute_page_key
from api.reports.recent_pages import RecentPages
from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.infra.settings import Settings
from tests.api.scored_jobs import HIGH, LOW, add_job
from tests.api.test_jobs import JOBS

COMPARISONS = "/v1/fine_tuning/comparisons"
DAY = 24 * 3600


class Artist:
    """Stands in for the child process: counts the drawings, and returns each with its number."""

    def __init__(self) -> None:
        self.drawn: list[bytes] = []
        self.begun = threading.Event()
        self.released = threading.Event()
        self.released.set()

    def draw(self, drawing: bytes, _environment: Mapping[str, str]) -> bytes:
        self.drawn.append(drawing)
        self.begun.set()
        assert self.released.wait(timeout=60)
        return b"page %d of " % len(self.drawn) + drawing


@pytest.fixture
def artist(monkeypatch: pytest.MonkeyPatch) -> Artist:
    artist = Artist()
    monkeypatch.setattr(drawing_module, "draw_in_child", artist.draw)
    return artist


@contextmanager
def restart(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def list_kept(settings: Settings) -> list[Path]:
    return list((settings.resolved_cache_dir / "reports").glob("*"))


@pytest.mark.parametrize("page_format", ["html", "png"])
def test_the_page_of_an_ended_job_is_drawn_once(
    page_format: str, http: TestClient, database: Database, settings: Settings, artist: Artist
) -> None:
    address = f"{JOBS}/{add_job(database, HIGH)}/stability.{page_format}"
    first, second = http.get(address), http.get(address)
    with restart(settings) as restarted:
        third = restarted.get(address)
    assert len(artist.drawn) == 1
    assert first.content == second.content == third.content
    assert first.headers["etag"] == third.headers["etag"]
    assert first.headers["content-type"] == third.headers["content-type"]
    unchanged = http.get(address, headers={"if-none-match": first.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert http.get(address, headers={"if-none-match": '"other"'}).status_code == 200


def test_a_page_follows_the_rows_that_it_shows(
    http: TestClient, database: Database, artist: Artist
) -> None:
    job_id = add_job(database, HIGH)
    address = f"{JOBS}/{job_id}/stability.html"
    first = http.get(address)
    with database.write() as session:
        session.execute(
            update(Run).where(Run.job_id == job_id, Run.index == 0).values(validation_score=0.9)
        )
    second = http.get(address, headers={"if-none-match": first.headers["etag"]})
    assert second.status_code == 200
    assert b"0.9" in second.content
    assert second.headers["etag"] != first.headers["etag"]


def test_an_extended_job_is_drawn_anew_while_it_runs_and_when_it_has_ended(
    http: TestClient, database: Database, artist: Artist
) -> None:
    job_id = add_job(database, HIGH)
    address = f"{JOBS}/{job_id}/stability.html"
    http.get(address)
    for status, drawn in (("running", 2), ("running", 2), ("succeeded", 2)):
        with database.write() as session:
            session.execute(update(Job).where(Job.id == job_id).values(status=status))
        http.get(address)
        assert len(artist.drawn) == drawn
    with database.write() as session:
        session.execute(update(Run).where(Run.job_id == job_id).values(validation_score=0.5))
    assert b"page 3" in http.get(address).content


def test_the_page_of_an_open_job_is_drawn_once_in_a_few_seconds(
    http: TestClient, database: Database, artist: Artist, settings: Settings
) -> None:
    kept = list_kept(settings)
    address = f"{JOBS}/{add_job(database, [0.5, None], status='running')}/stability.html"
    services = cast(AppServices, cast(FastAPI, http.app).state.services)
    pages = services.recent_pages
    pages._lifetime_seconds = DAY
    assert len({http.get(address).content for _ in range(5)}) == len(artist.drawn) == 1
    pages._lifetime_seconds = 0
    http.get(address)
    assert len(artist.drawn) == 2
    assert list_kept(settings) == kept
    pages._lifetime_seconds = RecentPages()._lifetime_seconds


def test_a_deleted_job_leaves_the_page_of_a_comparison_with_an_open_job_at_once(
    http: TestClient, database: Database, artist: Artist
) -> None:
    jobs = [add_job(database, LOW), add_job(database, HIGH)]
    comparison = http.post(COMPARISONS, json={"job_ids": jobs}).json()["id"]
    with database.write() as session:
        session.execute(update(Job).where(Job.id == jobs[0]).values(status="running"))
    address = f"{COMPARISONS}/{comparison}/report.html"
    before = http.get(address).content
    assert http.get(address).content == before
    assert len(artist.drawn) == 1
    assert http.delete(f"{JOBS}/{jobs[1]}").status_code == 200
    assert http.get(address).content != before
    assert len(artist.drawn) == 2


def test_callers_at_the_same_time_share_a_drawing(
    http: TestClient, database: Database, artist: Artist
) -> None:
    address = f"{JOBS}/{add_job(database, LOW)}/stability.html"
    artist.released.clear()
    with ThreadPoolExecutor(12) as callers:
        responses = [callers.submit(http.get, address) for _ in range(12)]
        assert artist.begun.wait(timeout=60)
        artist.released.set()
        assert {response.result().status_code for response in responses} == {200}
    assert len(artist.drawn) == 1


def test_a_cache_knows_no_owner_but_the_caller(
    http: TestClient, database: Database, artist: Artist
) -> None:
    """The page of another owner's job is not there, whatever the caller claims to have of it."""
    job_id = add_job(database, HIGH)
    address = f"{JOBS}/{job_id}/stability.html"
    etag = http.get(address).headers["etag"]
    with database.write() as session:
        session.execute(update(Job).where(Job.id == job_id).values(owner_id="org-other"))
    for header in (etag, "*"):
        assert http.get(address, headers={"if-none-match": header}).status_code == 404
    assert compute_page_key("local", b"{}") != compute_page_key("org-other", b"{}")


def test_deleting_a_job_deletes_every_page_that_shows_it(
    http: TestClient, database: Database, artist: Artist, settings: Settings
) -> None:
    jobs = [add_job(database, LOW, "conventional"), add_job(database, HIGH)]
    comparison = http.post(COMPARISONS, json={"job_ids": jobs}).json()["id"]
    address = f"{COMPARISONS}/{comparison}/report.html"
    for page in (*(f"{JOBS}/{job}/stability.png" for job in jobs), address, address):
        assert http.get(page).status_code == 200
    assert len(artist.drawn) == 3
    assert http.delete(f"{JOBS}/{jobs[1]}").status_code == 200
    texts = [path.read_bytes() for path in list_kept(settings)]
    assert not any(jobs[1].encode() in text for text in texts)
    assert any(jobs[0].encode() in text for text in texts)
    assert http.get(address).status_code == 200
    assert len(artist.drawn) == 4


def test_a_job_deleted_while_it_is_drawn_leaves_no_page(
    http: TestClient,
    database: Database,
    artist: Artist,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job_id = add_job(database, HIGH)

    def delete_and_draw(drawing: bytes, environment: Mapping[str, str]) -> bytes:
        assert http.delete(f"{JOBS}/{job_id}").status_code == 200
        return artist.draw(drawing, environment)

    monkeypatch.setattr(drawing_module, "draw_in_child", delete_and_draw)
    assert http.get(f"{JOBS}/{job_id}/stability.html").status_code == 200
    assert not any(job_id in path.name for path in list_kept(settings))


def test_a_page_is_drawn_where_none_can_be_kept(
    http: TestClient, database: Database, artist: Artist, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    services = cast(AppServices, cast(FastAPI, http.app).state.services)
    usable = services.page_cache._folder
    services.page_cache._folder = tmp_path / "file" / "reports"
    try:
        address = f"{JOBS}/{add_job(database, HIGH)}/stability.html"
        assert [http.get(address).status_code for _ in range(2)] == [200, 200]
    finally:
        services.page_cache._folder = usable
    assert len(artist.drawn) == 2


def test_a_page_that_is_deleted_while_it_is_read_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = PageCache(tmp_path)
    cache.store("ftjob-a", "1", "html", b"a", ["ftjob-a"])
    read_bytes = Path.read_bytes

    def read_and_delete(path: Path) -> bytes:
        content = read_bytes(path)
        cache.delete_job("ftjob-a")
        return content

    monkeypatch.setattr(Path, "read_bytes", read_and_delete)
    assert cache.find("ftjob-a", "1", "html") is None
    assert not list(tmp_path.iterdir())


def test_the_least_recently_used_pages_make_room(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, max_bytes=2500)
    cache.store("ftjob-a", "1", "html", b"a" * 1000, ["ftjob-a"])
    cache.store("ftjob-b", "1", "html", b"b" * 1000, ["ftjob-b"])
    for path in tmp_path.iterdir():
        os.utime(path, (1000, 1000))
    assert cache.find("ftjob-a", "1", "html") == b"a" * 1000
    cache.store("ftjob-c", "1", "html", b"c" * 1000, ["ftjob-c"])
    assert cache.find("ftjob-b", "1", "html") is None
    assert cache.find("ftjob-a", "1", "html") == b"a" * 1000
    cache.store("ftjob-a", "2", "html", b"A\nA", ["ftjob-a"])
    assert cache.find("ftjob-a", "1", "html") is None
    assert cache.find("ftjob-a", "2", "html") == b"A\nA"
