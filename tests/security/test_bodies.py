"""Clients that send bodies which cost much more than their bytes, many at a time."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest

from api.fair_turns import MAX_RETRY_AFTER_S
from benchmarks.hostile.target import TIMEOUT_S, RunningApi, read_all, running_api
from tests.make import csv_bytes

pytestmark = pytest.mark.server

MEGABYTE = 1 << 20
JOBS = "/v1/fine_tuning/jobs"
LISTS = b"[" + b"[]," * 345_000 + b"[]]"
JSON = {"content-type": "application/json"}
HEAD = (
    b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000000\r\n%s\r\n"
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    with running_api(tmp_path_factory.mktemp("bodies")) as running:
        yield running


def send_many(api: RunningApi, send: Callable[[int], int], count: int) -> Counter[int]:
    """Send requests at the same time, see that the service is healthy, and count the statuses."""
    with ThreadPoolExecutor(count) as pool:
        sending = [pool.submit(send, number) for number in range(count)]
        while not all(task.done() for task in sending):
            assert api.is_healthy()
    return Counter(task.result() for task in sending)


def upload(api: RunningApi, content: bytes, name: str = "data.csv") -> httpx.Response:
    return httpx.post(f"{api.url}/v1/files", files={"file": (name, content)}, timeout=TIMEOUT_S)


def make_table(megabytes: int, number: int = 0) -> bytes:
    text = f"a film about number {number} " + "that nobody remembers " * 40
    rows: list[tuple[str, ...]] = [
        (f"{text} {row}", "good" if row % 2 else "bad") for row in range(megabytes * 1_100)
    ]
    return csv_bytes(rows)


def test_json_of_empty_lists_is_refused_before_it_is_parsed(api: RunningApi) -> None:
    for path, status in ((JOBS, 400), ("/nothing/here", 404), ("/v1/files", 400)):
        before = sum(api.process.cpu_times()[:2])

        def send(_: int, path: str = path) -> int:
            return httpx.post(
                api.url + path, content=LISTS, headers=JSON, timeout=TIMEOUT_S
            ).status_code

        assert send_many(api, send, 10) == {status: 10}
        assert sum(api.process.cpu_times()[:2]) - before < 10 * 0.5


def test_an_unknown_path_is_answered_without_its_body(api: RunningApi) -> None:
    with closing(api.connect()) as client:
        client.sendall(HEAD % (b"/nothing/here", b""))
        assert client.recv(100).startswith(b"HTTP/1.1 404")


def test_a_missing_key_is_told_before_the_body(tmp_path_factory: pytest.TempPathFactory) -> None:
    key = {"EVENKEEL_API_KEY": "a-long-key-of-the-tests-0123456789"}
    with running_api(tmp_path_factory.mktemp("keyed"), key) as api:
        for path in (JOBS, "/v1/nothing", "/new", "/jobs/ftjob-1/pause"):
            answer = api.exchange(HEAD % (path.encode(), b""))
            assert answer.startswith(b"HTTP/1.1 401")


def test_a_body_that_is_not_json_waits_outside_of_memory(api: RunningApi) -> None:
    """Of 60 bodies that never end, each within the limit of a request."""
    assert api.is_healthy()
    before = api.measure_memory()
    clients = [api.connect() for _ in range(60)]
    plain = (HEAD % (JOBS.encode(), b"")).replace(b"application/json", b"text/plain")
    for client in clients:
        client.sendall(plain + b"a" * 900_000)
    assert api.is_healthy()
    assert api.measure_memory() - before < 32 * MEGABYTE
    for client in clients:
        client.close()


def test_many_uploads_at_once_are_all_stored(api: RunningApi) -> None:
    assert upload(api, make_table(1)).status_code == 200
    before = api.measure_memory()
    contents = [make_table(5, number) for number in range(12)]
    statuses = send_many(api, lambda number: upload(api, contents[number]).status_code, 12)
    assert statuses == {200: 12}
    assert api.measure_memory() - before < 64 * MEGABYTE


def test_form_fields_have_no_room_for_files(api: RunningApi) -> None:
    fields = {f"field{number}": "a" for number in range(40)}
    for files in (
        [("file", ("a.csv", b"a,b\n"))] * 5,
        [("file", ("a.csv", b"a,b\n")), ("purpose", (None, b"a" * 200_000))],
    ):
        response = httpx.post(f"{api.url}/v1/files", files=files, timeout=TIMEOUT_S)
        assert response.status_code == 400
    response = httpx.post(
        f"{api.url}/v1/files", data=fields, files={"file": ("a.csv", b"a,b\n")}, timeout=TIMEOUT_S
    )
    assert response.status_code == 400


def test_dry_runs_and_previews_never_hold_up_other_requests(api: RunningApi) -> None:
    file_id = upload(api, make_table(2)).json()["id"]
    retry_after: set[str] = set()

    def plan(number: int) -> int:
        if number % 2:
            path = f"/v1/files/{file_id}/preview?n=100"
            response = httpx.get(api.url + path, timeout=TIMEOUT_S)
        else:
            job = {"training_file": file_id, "dry_run": True}
            response = httpx.post(api.url + JOBS, json=job, timeout=TIMEOUT_S)
        if response.status_code == 429:
            retry_after.add(response.headers["retry-after"])
            assert response.json()["error"]["code"] == "service_busy"
        return response.status_code

    statuses = send_many(api, plan, 60)
    assert statuses.keys() == {200, 429}
    assert all(1 <= int(seconds) <= MAX_RETRY_AFTER_S for seconds in retry_after)  # as measured


def test_a_preview_of_many_long_rows_is_refused(api: RunningApi) -> None:
    rows: list[tuple[str, ...]] = [
        ("word " * 20_000 + str(row), "good" if row % 2 else "bad") for row in range(40)
    ]
    file_id = upload(api, csv_bytes(rows)).json()["id"]
    path = f"{api.url}/v1/files/{file_id}/preview"
    refused = httpx.get(path, params={"n": 40}, timeout=TIMEOUT_S)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "n")
    assert httpx.get(path, params={"n": 5}, timeout=TIMEOUT_S).status_code == 200


def test_queries_have_a_bounded_number_of_parameters(api: RunningApi) -> None:
    def query(count: int, name: str = "metadata[k%d]") -> httpx.Response:
        params = "&".join(f"{name % number}=a" for number in range(count))
        return httpx.get(f"{api.url}{JOBS}?{params}", timeout=TIMEOUT_S)

    assert query(16).status_code == 200
    for response in (query(17), query(100)):
        assert (response.status_code, response.json()["error"]["param"]) == (400, "metadata")
    assert query(1_500).status_code == 400
    assert "query parameters" in query(101, "x%d").json()["error"]["message"]


def test_a_large_request_is_served(api: RunningApi) -> None:
    """A body beyond what is kept in memory passes through a file unchanged."""
    body = {"model": "none", "input": ["ä, [b] {c}" * 500] * 150}
    response = httpx.post(
        f"{api.url}/v1/classifications",
        content=json.dumps(body, ensure_ascii=False).encode(),
        headers=JSON,
        timeout=TIMEOUT_S,
    )
    assert (response.status_code, response.json()["error"]["param"]) == (404, "model")


def test_a_broken_upload_leaves_its_slot(api: RunningApi) -> None:
    """More of them than slots, one after the other."""
    for _ in range(70):
        with closing(api.connect()) as client:
            client.sendall(
                b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            )
    with closing(api.connect()) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert read_all(client).startswith(b"HTTP/1.1 200")
    assert upload(api, make_table(1)).status_code == 200
