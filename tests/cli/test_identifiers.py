"""Ids as users write them: whole, the beginning, ``last``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.client import Client
from cli.errors import CliError
from cli.identifiers import (
    resolve_file_id,
    resolve_job_id,
    resolve_model_id,
    resolve_run,
    resolve_start_model,
)
from tests.cli.answering_service import RUN
from tests.cli.fake_service import FILE, JOB, Server, make_id
from tests.cli.runner import list_requests

FIRST, SECOND = "ftjob-" + "a" * 24, "ftjob-" + "ab" * 12
JOBS = [{**JOB, "id": FIRST}, {**JOB, "id": SECOND, "fine_tuned_model": "ft:m:local::0000abcd"}]
MODELS = [
    {"id": "ft:m:local::0000abcd:seed-1"},
    {"id": "ft:m:local::0000abcd"},
    {"id": "ft:n:local::0000abcd"},
    {"id": "bert"},
]


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url) as client:
        yield client


def answer(server: Server, *answers: Any) -> None:
    server.answers = [(200, {}, one) for one in answers]


def page(*items: Any, has_more: bool = False) -> dict[str, Any]:
    return {"data": list(items), "has_more": has_more}


def test_a_whole_id_costs_no_request(server: Server, client: Client) -> None:
    file, model = make_id("file", 1), "ft:m:local:suffix:0000abcd:seed-3"
    assert resolve_job_id(client, FIRST) == FIRST
    assert resolve_file_id(client, file) == file
    assert resolve_model_id(client, model) == model
    assert server.asked == []


@pytest.mark.parametrize("text", ["ab", "ftjob-ab", SECOND[6:]])
def test_the_beginning_of_a_job(server: Server, client: Client, text: str) -> None:
    answer(server, page(*JOBS))
    assert resolve_job_id(client, text) == SECOND


def test_an_ambiguous_beginning_names_the_matches_whole(server: Server, client: Client) -> None:
    jobs = [{**JOB, "id": make_id("ftjob", number)} for number in range(5)]
    answer(server, page(*jobs))
    with pytest.raises(CliError) as refused:
        resolve_job_id(client, "0000")
    shown = ", ".join(job["id"] for job in jobs[:3])
    assert str(refused.value) == (
        f"'0000' is the beginning of 5 jobs: {shown} and 2 more. Give more characters of the id."
    )


def test_pages_are_followed_to_a_bound_that_the_error_names(server: Server, client: Client) -> None:
    answer(server, page(JOBS[0], has_more=True), page(JOBS[1]))
    assert resolve_job_id(client, "ab") == SECOND
    assert list_requests(server)[1].endswith(f"after={FIRST}")
    answer(server, page(JOBS[0], has_more=True))
    server.asked.clear()
    with pytest.raises(
        CliError, match=r"begins with 'x' among the newest 10 jobs\. `evenkeel jobs"
    ):
        resolve_job_id(client, "x")
    assert len(server.asked) == 10


@pytest.mark.parametrize("text", ["", "x", "ftjob-"])
def test_nothing_fits(server: Server, client: Client, text: str) -> None:
    answer(server, page())
    with pytest.raises(CliError, match="No job has an id that begins with"):
        resolve_job_id(client, text)


def test_last(server: Server, client: Client) -> None:
    answer(server, page(*JOBS))
    assert resolve_job_id(client, "last") == FIRST
    assert resolve_model_id(client, "last") == "ft:m:local::0000abcd"
    answer(server, page({**FILE, "id": "file-2"}, FILE))
    assert resolve_file_id(client, "last") == "file-2"
    answer(server, page(JOBS[0]), page(RUN, {**RUN, "id": "ftrun-9"}))
    assert resolve_run(client, "last") == (FIRST, "ftrun-9")
    answer(server, page())
    for resolve in (resolve_job_id, resolve_model_id, resolve_file_id):
        with pytest.raises(CliError, match="There is no"):
            resolve(client, "last")


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("bert", "bert"),
        ("be", "bert"),
        ("ft:m", "ft:m:local::0000abcd"),
        ("m:local", "ft:m:local::0000abcd"),
        ("ft:m:local::0000abcd:seed-", "ft:m:local::0000abcd:seed-1"),
    ],
)
def test_the_beginning_of_a_model(server: Server, client: Client, text: str, model: str) -> None:
    answer(server, page(*MODELS))
    assert resolve_model_id(client, text) == model


def test_a_model_by_the_beginning_of_its_job(server: Server, client: Client) -> None:
    answer(server, page(*MODELS), page(*JOBS))
    assert resolve_model_id(client, "ab") == "ft:m:local::0000abcd"
    answer(server, page(*MODELS), page(*JOBS))
    with pytest.raises(CliError, match=f"Job {FIRST} has no model"):
        resolve_model_id(client, "aaa")
    answer(server, page(*MODELS), page(*JOBS))
    with pytest.raises(CliError, match="No model and no job has an id"):
        resolve_model_id(client, "xyz")


def test_a_run_is_found_in_the_newest_jobs(server: Server, client: Client) -> None:
    answer(server, page(*JOBS), page(RUN), page({**RUN, "id": "ftrun-ffff"}))
    assert resolve_run(client, "ff") == (SECOND, "ftrun-ffff")
    answer(server, page(RUN))
    assert resolve_run(client, RUN["id"][:-1], job=FIRST) == (FIRST, RUN["id"])


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("bert", "bert"),
        ("be", "bert"),
        ("ft:n", "ft:n:local::0000abcd"),
        ("m:local::0000abcd:seed-", "ft:m:local::0000abcd:seed-1"),
        ("unknown", "unknown"),
        ("owner/name", "owner/name"),
        ("ft:x/y:local::0000abcd", "ft:x/y:local::0000abcd"),
    ],
)
def test_the_model_a_job_starts_from(server: Server, client: Client, text: str, model: str) -> None:
    answer(server, page(*MODELS))
    assert resolve_start_model(client, text) == model


def test_a_folder_of_this_machine_is_no_model_of_the_service(
    server: Server, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(server, page(*MODELS))
    monkeypatch.chdir(tmp_path)
    for folder in ("bert", "acme/my bert", "other"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "config.json").write_text("{}")
    (tmp_path / "acme" / "empty").mkdir()
    for text in ("acme/my bert", "other", str(tmp_path / "other")):
        with pytest.raises(CliError, match=r"is a folder of this machine.* models upload '?/?\w"):
            resolve_start_model(client, text)
    # a name that the service knows, and one that it may find on the hub
    assert resolve_start_model(client, "bert") == "bert"
    assert resolve_start_model(client, "acme/empty") == "acme/empty"


def test_the_model_of_a_job_to_start_from(server: Server, client: Client) -> None:
    answer(server, page(*JOBS))
    assert resolve_start_model(client, "last") == "ft:m:local::0000abcd"
    answer(server, {**JOBS[1]})
    assert resolve_start_model(client, SECOND) == "ft:m:local::0000abcd"
    answer(server, page(*MODELS))
    with pytest.raises(CliError, match="'ft:' is the beginning of 2 models: ft:m:local::0000abcd,"):
        resolve_start_model(client, "ft:")
