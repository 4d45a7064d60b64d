"""References that cannot be downloaded, and a hub that fails."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.dependencies import MAX_CONCURRENT_DOWNLOADS
from tests.api.hub.conftest import Service
from tests.api.hub.requests import NAME, create_job, get_download_path, get_error
from tests.hub import DatasetRepository, PlayedHub
from tests.make import csv_bytes, review_csv
from tests.servers import wait_until
from tests.shared.datasets.files import jsonl_bytes


@pytest.mark.parametrize(
    "reference",
    ["hf://", "hf://glue", "hf://a/b/c/d", "hf://a/b@", "hf://a/b:", "hf://../b", "hf://a/b@../x"],
)
def test_an_invalid_reference_is_refused(http: TestClient, hub: PlayedHub, reference: str) -> None:
    assert get_error(http, reference)[:3] == (400, "invalid_value", "training_file")
    assert hub.asked == []


def test_an_unknown_data_set_is_not_found(
    http: TestClient, hub: PlayedHub, plain: DatasetRepository
) -> None:
    assert get_error(http, "hf://no/body")[:3] == (404, "dataset_not_found", "training_file")
    assert get_error(http, f"hf://{NAME}@v9")[:2] == (404, "dataset_not_found")
    plain.gated = True
    status, code, _, message = get_error(http)
    assert (status, code) == (404, "dataset_not_found")
    assert "access" in message


def test_an_unknown_split_or_config_is_refused_with_candidates(
    http: TestClient, hub: PlayedHub
) -> None:
    rows = review_csv(40)
    hub.repositories[NAME] = DatasetRepository(
        {"a/train.csv": rows, "b/train.csv": rows, "b/dev.csv": rows}
    )
    for reference, named in (
        (f"hf://{NAME}", ["a", "b"]),
        (f"hf://{NAME}/c", ["a", "b"]),
        (f"hf://{NAME}/b:other", ["train", "validation"]),
    ):
        status, code, param, message = get_error(http, reference)
        assert (status, code, param) == (400, "invalid_value", "training_file")
        assert all(name in message for name in named)
    assert create_job(http, f"hf://{NAME}/b").status_code == 200


def test_too_large_data_sets_are_refused(
    service: Service, hub: PlayedHub, plain: DatasetRepository
) -> None:
    plain.files = {"train.csv": b"text,label\n" + b"x" * 400_000}  # the service takes 300,000
    with service() as http:
        assert get_error(http)[:3] == (400, "dataset_too_large", "training_file")
        assert hub.downloads() == []
        plain.files = {"train.csv": csv_bytes([("t", "a"), ("u", "b")])}
        hub.instead[get_download_path(hub)] = (
            b"text,label\n" + b"x" * 400_000
        )  # more than the listed size
        assert get_error(http)[:2] == (400, "dataset_too_large")
    plain.files = {f"train-0000{n}-of-00002.csv": review_csv(30, seed=n) for n in range(2)}
    with service(max_rows=50) as http:
        assert get_error(http)[:2] == (400, "dataset_too_large")
    with service(max_rows=60) as http:
        assert create_job(http).status_code == 200


def test_an_unreachable_hub_gives_503(service: Service) -> None:
    with service(hub_endpoint="http://127.0.0.1:9") as http:
        response = create_job(http)
        assert (response.status_code, response.json()["error"]["code"]) == (
            503,
            "hub_not_reachable",
        )
        assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize("response", [b"", b"<html>", b"[]", b'{"sha": "main", "siblings": []}'])
def test_an_unexpected_response_of_the_hub_gives_503(
    http: TestClient, hub: PlayedHub, response: bytes
) -> None:
    hub.instead[f"/api/datasets/{NAME}"] = response
    assert get_error(http)[:2] == (503, "hub_not_reachable")


def test_a_truncated_or_changed_download_gives_503(
    http: TestClient, hub: PlayedHub, plain: DatasetRepository
) -> None:
    hub.cut.add(get_download_path(hub))
    assert get_error(http)[:2] == (503, "hub_not_reachable")
    hub.cut.clear()
    hub.instead[get_download_path(hub)] = review_csv(40, seed=1)
    before = http.get("/v1/files").json()["data"]
    assert get_error(http)[:2] == (503, "hub_not_reachable")
    assert http.get("/v1/files").json()["data"] == before
    hub.instead.clear()
    assert create_job(http).status_code == 200


def test_a_slow_hub_gives_503(service: Service, hub: PlayedHub, plain: DatasetRepository) -> None:
    hub.drip_s = 0.2
    with service(hub_seconds=0.5) as http:
        status, code, _, message = get_error(http)
    assert (status, code) == (503, "hub_not_reachable")
    assert "0.5 seconds" in message


def test_concurrent_downloads_are_bounded(
    http: TestClient, hub: PlayedHub, plain: DatasetRepository
) -> None:
    hub.gate.clear()
    with ThreadPoolExecutor(MAX_CONCURRENT_DOWNLOADS) as threads:
        waiting = [threads.submit(create_job, http) for _ in range(MAX_CONCURRENT_DOWNLOADS)]
        wait_until(
            lambda: len(hub.downloads()) == MAX_CONCURRENT_DOWNLOADS,
            description="the maximum of concurrent downloads",
        )
        assert get_error(http)[:2] == (429, "service_busy")
        assert http.get("/v1/files").status_code == 200  # other requests are served
        hub.gate.set()
        responses = [one.result() for one in waiting]
    assert {response.status_code for response in responses} == {200}
    assert (
        len({response.json()["dataset"]["training_sha256"] for response in responses}) == 1
    )  # kept once


def test_redirects_are_followed_to_allowed_hosts_only(
    service: Service, hub: PlayedHub, plain: DatasetRepository
) -> None:
    hub.moved["/api/datasets/old/name"] = f"/api/datasets/{NAME}?blobs=true"
    hub.moved[f"/datasets/old/name/resolve/{plain.commit}/train.csv"] = (
        f"{hub.url.replace('127.0.0.1', 'localhost')}{get_download_path(hub)}"
    )
    with service(hub_token=SecretStr("hf_secret")) as http:
        status, code, _, message = get_error(http, "hf://old/name")
        assert (status, code) == (400, "hub_not_allowed")
        assert "localhost" in message
    with service(hub_token=SecretStr("hf_secret"), hub_hosts="example.org, localhost") as http:
        assert create_job(http, "hf://old/name").status_code == 200
    assert hub.authorizations[-3:] == [
        "Bearer hf_secret",
        "Bearer hf_secret",
        None,
    ]  # only the hub gets the token
    hub.moved["/api/datasets/round/about"] = "/api/datasets/round/about"
    with service() as http:
        assert get_error(http, "hf://round/about")[:2] == (503, "hub_not_reachable")


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (b"PAR1 and nothing more", "train.parquet"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\0", "train.csv"),
        (jsonl_bytes([{"messages": [{"no": "role"}]}]), "train.jsonl"),
        (b"a line\tx\nanother\ty\n", "train.tsv"),
    ],
)
def test_files_that_are_not_tables_are_refused(
    http: TestClient, hub: PlayedHub, content: bytes, path: str
) -> None:
    hub.repositories[NAME] = DatasetRepository({path: content})
    status, code, param, message = get_error(http)
    assert (status, code, param) == (400, "invalid_value", "training_file")
    assert path in message
