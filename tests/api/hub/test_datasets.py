"""Jobs on data sets of the hub: fetched when allowed, kept as files, refused in words."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.dependencies import MAX_CONCURRENT_DOWNLOADS
from shared.datasets import Format
from tests.api.hub.conftest import Service
from tests.hub import DatasetRepository, PlayedHub
from tests.make import csv_bytes, review_csv, reviews
from tests.servers import wait_until
from tests.shared.datasets.files import jsonl_bytes, parquet_bytes

JOBS = "/v1/fine_tuning/jobs"
NAME = "someone/reviews"


def create(http: TestClient, training_file: str = f"hf://{NAME}", **changes: Any) -> Any:
    request = {
        "training_file": training_file,
        "model": "tiny-bert",
        "recipe": {"reinit_layers": 1, "max_steps": 8},
    }
    return http.post(JOBS, json=request | changes)


def refusal(
    http: TestClient, training_file: str = f"hf://{NAME}", **changes: Any
) -> tuple[int, str, str, str]:
    answer = create(http, training_file, **changes)
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"], error["message"]


def a_file(hub: PlayedHub) -> str:
    """The path of the only data file's download."""
    repository = hub.repositories[NAME]
    [path] = repository.files
    return f"/datasets/{NAME}/resolve/{repository.commit}/{path}"


@pytest.fixture
def plain(hub: PlayedHub, request: pytest.FixtureRequest) -> DatasetRepository:
    """Of a commit of its own, for the application keeps what it has fetched."""
    repository = DatasetRepository({"train.csv": review_csv(40)}, message=request.node.name)
    hub.repositories[NAME] = repository
    return repository


def test_a_job_trains_on_the_file_that_it_comes_to(
    http: TestClient, plain: DatasetRepository
) -> None:
    answer = create(http, f"hf://{NAME}@main:train")
    job = answer.json()
    assert answer.status_code == 200, answer.text
    file = http.get(f"/v1/files/{job['training_file']}").json()
    assert file["filename"] == f"someone--reviews--default--train--{plain.commit}.jsonl.gz"
    assert (file["purpose"], file["profile"]["rows"], file["profile"]["format"]) == (
        "fine-tune",
        40,
        Format.JSONL,
    )
    assert job["dataset"]["hub"] == {
        "training_file": {"asked": f"hf://{NAME}@main:train", "filename": file["filename"]}
    }
    assert sum(job["dataset"]["rows"].values()) == 40
    uploaded = http.post("/v1/files", files={"file": ("reviews.csv", review_csv(40))}).json()
    twin = create(http, uploaded["id"]).json()
    same = ("rows", "labels", "leakage")
    assert {name: job["dataset"][name] for name in same} == {
        name: twin["dataset"][name] for name in same
    }


def test_nothing_is_fetched_unless_it_is_allowed(
    service: Service, hub: PlayedHub, plain: DatasetRepository
) -> None:
    with service(hub_datasets=False) as http:
        status, code, param, message = refusal(http)
    assert (status, code, param) == (400, "hub_not_allowed", "training_file")
    assert "upload" in message
    assert hub.asked == []


def test_each_file_of_a_job_has_its_split(http: TestClient, hub: PlayedHub) -> None:
    rows = reviews(60)
    hub.repositories[NAME] = DatasetRepository(
        {
            "data/train-00000-of-00001.parquet": parquet_bytes(
                {"text": [t for t, _ in rows], "label": [n for _, n in rows]}
            ),
            "data/validation-00000-of-00001.parquet": parquet_bytes(
                {"text": ["so good", "so bad"] * 5, "label": ["good", "bad"] * 5}
            ),
            "data/test-00000-of-00001.parquet": parquet_bytes(
                {"text": ["my good", "my bad"] * 6, "label": ["good", "bad"] * 6}
            ),
        }
    )
    reference = f"hf://{NAME}"
    job = create(http, validation_file=reference, test_file=reference).json()
    assert job["dataset"]["rows"] == {"train": 60, "validation": 10, "test": 12}
    swapped = create(http, f"{reference}:test", validation_file=f"{reference}:validation").json()
    assert swapped["dataset"]["rows"] == {"train": 12, "validation": 10, "test": 0}
    assert swapped["training_file"] == job["test_file"]


def test_the_same_commit_is_fetched_and_kept_once(
    http: TestClient, hub: PlayedHub, plain: DatasetRepository
) -> None:
    dry = http.post(
        f"{JOBS}?dry_run=true", json={"training_file": f"hf://{NAME}", "model": "tiny-bert"}
    ).json()
    job = create(http, f"hf://{NAME}:train").json()
    assert dry["training_file"] == job["training_file"]
    assert len(hub.downloads()) == 1
    plain.message = "second"
    later = create(http).json()
    assert later["training_file"] != job["training_file"]
    digests = [one["dataset"]["training_sha256"] for one in (job, later)]
    assert digests[0] == digests[1]  # the bytes are equal, so they are stored once


def test_a_clone_trains_on_the_same_rows(
    service: Service, http: TestClient, plain: DatasetRepository
) -> None:
    job = create(http).json()
    plain.files = {"train.csv": review_csv(50)}
    with service(hub_datasets=False) as elsewhere:
        clone = elsewhere.post(f"{JOBS}/{job['id']}/clone").json()
    assert clone["training_file"] == job["training_file"]


def test_a_creation_that_is_sent_again_makes_one_job(
    http: TestClient, hub: PlayedHub, plain: DatasetRepository
) -> None:
    request = {"training_file": f"hf://{NAME}", "model": "tiny-bert", "suffix": "once"}
    first = http.post(JOBS, json=request).json()
    asked = len(hub.asked)
    again = http.post(JOBS, json=request, headers={"x-stainless-retry-count": "1"}).json()
    assert again["id"] == first["id"]
    assert len(hub.asked) == asked


def test_shards_are_joined_and_numbers_of_classes_get_their_names(
    http: TestClient, hub: PlayedHub
) -> None:
    names = {"names": {"0": "unacceptable", "1": "acceptable"}}
    features = [
        {"name": "sentence", "dtype": "string"},
        {"name": "label", "dtype": {"class_label": names}},
    ]
    shards = {
        f"cola/train-0000{shard}-of-00002.parquet": parquet_bytes(
            {
                "sentence": [f"number {shard} {row}" for row in range(10)],
                "label": [row % 2 for row in range(10)],
            }
        )
        for shard in range(2)
    }
    unlabelled = {
        "cola/test-00000-of-00001.parquet": parquet_bytes(
            {"sentence": ["a", "b"], "label": [-1, -1]}
        )
    }
    data_files = [{"split": split, "path": f"cola/{split}-*"} for split in ("train", "test")]
    card = {
        "configs": [{"config_name": "cola", "data_files": data_files}],
        "dataset_info": [
            {"config_name": "cola", "features": features},
            {"config_name": "rte", "features": []},
        ],
    }
    hub.repositories[NAME] = DatasetRepository(shards | unlabelled, card)
    job = create(http, f"hf://{NAME}/cola").json()
    profile = http.get(f"/v1/files/{job['training_file']}/validation").json()
    assert profile["labels"] == [
        {"label": "acceptable", "count": 10},
        {"label": "unacceptable", "count": 10},
    ]
    lines = http.get(f"/v1/files/{job['training_file']}/content").content
    assert lines.startswith(b"\x1f\x8b")
    code, message = refusal(http, f"hf://{NAME}/cola", test_file=f"hf://{NAME}/cola")[1:4:2]
    assert code == "invalid_value"
    assert "label" in message  # its rows have none


@pytest.mark.parametrize(
    "reference",
    ["hf://", "hf://glue", "hf://a/b/c/d", "hf://a/b@", "hf://a/b:", "hf://../b", "hf://a/b@../x"],
)
def test_what_is_no_reference(http: TestClient, hub: PlayedHub, reference: str) -> None:
    assert refusal(http, reference)[:3] == (400, "invalid_value", "training_file")
    assert hub.asked == []


def test_what_the_hub_does_not_have(
    http: TestClient, hub: PlayedHub, plain: DatasetRepository
) -> None:
    assert refusal(http, "hf://no/body")[:3] == (404, "dataset_not_found", "training_file")
    assert refusal(http, f"hf://{NAME}@v9")[:2] == (404, "dataset_not_found")
    plain.gated = True
    status, code, _, message = refusal(http)
    assert (status, code) == (404, "dataset_not_found")
    assert "access" in message


def test_a_split_and_a_config_that_are_not_there_are_answered_with_those_that_are(
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
        status, code, param, message = refusal(http, reference)
        assert (status, code, param) == (400, "invalid_value", "training_file")
        assert all(name in message for name in named)
    assert create(http, f"hf://{NAME}/b").status_code == 200


def test_too_much(service: Service, hub: PlayedHub, plain: DatasetRepository) -> None:
    plain.files = {"train.csv": b"text,label\n" + b"x" * 400_000}  # the service takes 300,000
    with service() as http:
        assert refusal(http)[:3] == (400, "dataset_too_large", "training_file")
        assert hub.downloads() == []
        plain.files = {"train.csv": csv_bytes([("t", "a"), ("u", "b")])}
        hub.instead[a_file(hub)] = b"text,label\n" + b"x" * 400_000  # more than it says
        assert refusal(http)[:2] == (400, "dataset_too_large")
    plain.files = {f"train-0000{n}-of-00002.csv": review_csv(30, seed=n) for n in range(2)}
    with service(max_rows=50) as http:
        assert refusal(http)[:2] == (400, "dataset_too_large")
    with service(max_rows=60) as http:
        assert create(http).status_code == 200


def test_a_hub_that_is_not_there(service: Service) -> None:
    with service(hub_endpoint="http://127.0.0.1:9") as http:
        answer = create(http)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "hub_not_reachable")
        assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b'{"sha": "main", "siblings": []}'])
def test_a_hub_that_answers_something_else(http: TestClient, hub: PlayedHub, answer: bytes) -> None:
    hub.instead[f"/api/datasets/{NAME}"] = answer
    assert refusal(http)[:2] == (503, "hub_not_reachable")


def test_a_file_that_is_cut_or_changed_on_the_way(
    http: TestClient, hub: PlayedHub, plain: DatasetRepository
) -> None:
    hub.cut.add(a_file(hub))
    assert refusal(http)[:2] == (503, "hub_not_reachable")
    hub.cut.clear()
    hub.instead[a_file(hub)] = review_csv(40, seed=1)
    before = http.get("/v1/files").json()["data"]
    assert refusal(http)[:2] == (503, "hub_not_reachable")
    assert http.get("/v1/files").json()["data"] == before
    hub.instead.clear()
    assert create(http).status_code == 200


def test_a_hub_that_takes_too_long(
    service: Service, hub: PlayedHub, plain: DatasetRepository
) -> None:
    hub.drip_s = 0.2
    with service(hub_seconds=0.5) as http:
        status, code, _, message = refusal(http)
    assert (status, code) == (503, "hub_not_reachable")
    assert "0.5 seconds" in message


def test_no_more_are_fetched_at_a_time_than_may_be(
    http: TestClient, hub: PlayedHub, plain: DatasetRepository
) -> None:
    hub.gate.clear()
    with ThreadPoolExecutor(MAX_CONCURRENT_DOWNLOADS) as threads:
        waiting = [threads.submit(create, http) for _ in range(MAX_CONCURRENT_DOWNLOADS)]
        wait_until(
            lambda: len(hub.downloads()) == MAX_CONCURRENT_DOWNLOADS,
            description="as many downloads as may be",
        )
        assert refusal(http)[:2] == (429, "service_busy")
        assert http.get("/v1/files").status_code == 200  # everything else goes on
        hub.gate.set()
        answers = [one.result() for one in waiting]
    assert {answer.status_code for answer in answers} == {200}
    assert (
        len({answer.json()["dataset"]["training_sha256"] for answer in answers}) == 1
    )  # kept once


def test_a_renamed_data_set_and_a_file_elsewhere(
    service: Service, hub: PlayedHub, plain: DatasetRepository
) -> None:
    hub.moved["/api/datasets/old/name"] = f"/api/datasets/{NAME}?blobs=true"
    hub.moved[f"/datasets/old/name/resolve/{plain.commit}/train.csv"] = (
        f"{hub.url.replace('127.0.0.1', 'localhost')}{a_file(hub)}"
    )
    with service(hub_token=SecretStr("hf_secret")) as http:
        status, code, _, message = refusal(http, "hf://old/name")
        assert (status, code) == (400, "hub_not_allowed")
        assert "localhost" in message
    with service(hub_token=SecretStr("hf_secret"), hub_hosts="example.org, localhost") as http:
        assert create(http, "hf://old/name").status_code == 200
    assert hub.authorizations[-3:] == [
        "Bearer hf_secret",
        "Bearer hf_secret",
        None,
    ]  # the token goes to the hub alone
    hub.moved["/api/datasets/round/about"] = "/api/datasets/round/about"
    with service() as http:
        assert refusal(http, "hf://round/about")[:2] == (503, "hub_not_reachable")


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (b"PAR1 and nothing more", "train.parquet"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\0", "train.csv"),
        (jsonl_bytes([{"text": "a", "label": {"no": "cell"}}]), "train.jsonl"),
        (b"a line\tx\nanother\ty\n", "train.tsv"),
    ],
)
def test_files_that_are_no_table(
    http: TestClient, hub: PlayedHub, content: bytes, path: str
) -> None:
    hub.repositories[NAME] = DatasetRepository({path: content})
    status, code, param, message = refusal(http)
    assert (status, code, param) == (400, "invalid_value", "training_file")
    assert path in message
