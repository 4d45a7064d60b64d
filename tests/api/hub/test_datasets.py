"""Jobs on data sets of the hub: downloaded if allowed, and kept as files."""

from fastapi.testclient import TestClient

from shared.datasets import Format
from tests.api.hub.conftest import Service
from tests.api.hub.requests import JOBS, NAME, create_job, get_error
from tests.hub import DatasetRepository, PlayedHub
from tests.make import review_csv, reviews
from tests.shared.datasets.files import parquet_bytes


def test_a_reference_becomes_a_file_of_the_job(http: TestClient, plain: DatasetRepository) -> None:
    response = create_job(http, f"hf://{NAME}@main:train")
    job = response.json()
    assert response.status_code == 200, response.text
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
    twin = create_job(http, uploaded["id"]).json()
    same = ("rows", "labels", "leakage")
    assert {name: job["dataset"][name] for name in same} == {
        name: twin["dataset"][name] for name in same
    }


def test_nothing_is_downloaded_unless_allowed(
    service: Service, hub: PlayedHub, plain: DatasetRepository
) -> None:
    with service(hub_datasets=False) as http:
        status, code, param, message = get_error(http)
    assert (status, code, param) == (400, "hub_not_allowed", "training_file")
    assert "upload" in message
    assert hub.asked == []


def test_each_file_of_a_job_has_a_default_split(http: TestClient, hub: PlayedHub) -> None:
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
    job = create_job(http, validation_file=reference, test_file=reference).json()
    assert job["dataset"]["rows"] == {"train": 60, "validation": 10, "test": 12}
    swapped = create_job(
        http, f"{reference}:test", validation_file=f"{reference}:validation"
    ).json()
    assert swapped["dataset"]["rows"] == {"train": 12, "validation": 10, "test": 0}
    assert swapped["training_file"] == job["test_file"]


def test_unlabelled_texts_have_a_default_split(http: TestClient, hub: PlayedHub) -> None:
    texts = [f"never seen story {row}" for row in range(12)]
    hub.repositories[NAME] = DatasetRepository(
        {
            "data/train-00000-of-00001.parquet": parquet_bytes(
                {"text": [t for t, _ in reviews(60)], "label": [n for _, n in reviews(60)]}
            ),
            "data/unsupervised-00000-of-00001.parquet": parquet_bytes({"text": texts}),
        }
    )
    reference = f"hf://{NAME}"
    distilled = {"artifacts": {"publish": "distilled"}}
    job = create_job(http, reference, unlabelled_file=reference, **distilled).json()
    assert job["dataset"]["rows"]["unlabelled"] == 12
    assert job["dataset"]["hub"]["unlabelled_file"]["asked"] == reference
    copies = create_job(http, reference, unlabelled_file=f"{reference}:train", **distilled).json()
    held_out = copies["dataset"]["rows"]["validation"]
    assert copies["dataset"]["rows"]["unlabelled"] == held_out
    refused = get_error(http, reference, unlabelled_file=f"{reference}:gone", **distilled)
    assert refused[:3] == (400, "invalid_value", "unlabelled_file")
    cloned = http.post(f"{JOBS}/{job['id']}/clone").json()
    assert cloned["unlabelled_file"] == job["unlabelled_file"]


def test_a_commit_is_downloaded_once(
    http: TestClient, hub: PlayedHub, plain: DatasetRepository
) -> None:
    dry = http.post(
        f"{JOBS}?dry_run=true", json={"training_file": f"hf://{NAME}", "model": "tiny-bert"}
    ).json()
    job = create_job(http, f"hf://{NAME}:train").json()
    assert dry["training_file"] == job["training_file"]
    assert len(hub.downloads()) == 1
    plain.message = "second"
    later = create_job(http).json()
    assert later["training_file"] != job["training_file"]
    digests = [one["dataset"]["training_sha256"] for one in (job, later)]
    assert digests[0] == digests[1]  # equal content is stored once


def test_a_clone_has_the_same_rows(
    service: Service, http: TestClient, plain: DatasetRepository
) -> None:
    job = create_job(http).json()
    plain.files = {"train.csv": review_csv(50)}
    with service(hub_datasets=False) as elsewhere:
        clone = elsewhere.post(f"{JOBS}/{job['id']}/clone").json()
    assert clone["training_file"] == job["training_file"]


def test_a_resent_creation_makes_one_job(
    http: TestClient, hub: PlayedHub, plain: DatasetRepository
) -> None:
    request = {"training_file": f"hf://{NAME}", "model": "tiny-bert", "suffix": "once"}
    first = http.post(JOBS, json=request).json()
    asked = len(hub.asked)
    again = http.post(JOBS, json=request, headers={"x-stainless-retry-count": "1"}).json()
    assert again["id"] == first["id"]
    assert len(hub.asked) == asked


def test_shards_are_joined_and_class_numbers_become_names(http: TestClient, hub: PlayedHub) -> None:
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
    unlabeled = {
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
    hub.repositories[NAME] = DatasetRepository(shards | unlabeled, card)
    job = create_job(http, f"hf://{NAME}/cola").json()
    profile = http.get(f"/v1/files/{job['training_file']}/validation").json()
    assert profile["labels"] == [
        {"label": "acceptable", "count": 10},
        {"label": "unacceptable", "count": 10},
    ]
    lines = http.get(f"/v1/files/{job['training_file']}/content").content
    assert lines.startswith(b"\x1f\x8b")
    code, message = get_error(http, f"hf://{NAME}/cola", test_file=f"hf://{NAME}/cola")[1:4:2]
    assert code == "invalid_value"
    assert "label" in message  # its rows have no label
