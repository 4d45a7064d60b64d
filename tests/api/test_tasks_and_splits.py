"""Task types and splits over HTTP: resolution, row counts, warnings and refusals."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.make import csv_bytes, review_csv

JOBS = "/v1/fine_tuning/jobs"


def upload(http: TestClient, content: bytes, name: str = "data.csv") -> dict[str, Any]:
    answer = http.post("/v1/files", files={"file": (name, content)})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def create(http: TestClient, file_id: str, **request: Any) -> Any:
    return http.post(JOBS, json={"training_file": file_id, "model": "tiny-bert", **request})


def make_rated_csv(rows: int = 60, header: tuple[str, ...] = ("text", "label")) -> bytes:
    return csv_bytes([(f"text number {row}", str(row / 7)) for row in range(rows)], header)


def make_tagged_csv(rows: int = 60) -> bytes:
    sets = ("news|sports", "news", "", "sports|travel")
    return csv_bytes([(f"text number {row}", sets[row % 4]) for row in range(rows)])


def make_grouped_csv(rows: int = 60) -> bytes:
    cells = [
        (f"text number {row}", "ab"[row // 3 % 2], f"author {row // 3}") for row in range(rows)
    ]
    return csv_bytes([tuple(row) for row in cells], ("text", "label", "author"))


def index_warnings(job: dict[str, Any]) -> dict[str, str]:
    return {warning["code"]: warning["message"] for warning in job["warnings"]}


def get_refusal(answer: Any) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["param"], error["code"]


def test_numeric_labels_make_a_regression_with_a_warning(http: TestClient) -> None:
    file = upload(http, make_rated_csv())
    assert file["profile"]["detected"]["type"] == "regression"
    assert file["profile"]["labels"] is None
    job = create(http, file["id"]).json()
    assert (job["task"]["type"], job["task"]["label_names"], job["metric"]) == (
        "regression",
        [],
        "pearson",
    )
    assert "task.type" in index_warnings(job)["task_type_inferred"]
    assert job["dataset"]["rows"] == {"train": 48, "validation": 12, "test": 0}
    assert job["dataset"]["labels"] == []
    assert (
        0
        <= job["dataset"]["numbers"]["min"]
        < job["dataset"]["numbers"]["mean"]
        < job["dataset"]["numbers"]["max"]
        < 9
    )
    requested = create(
        http, file["id"], task={"type": "regression"}, evaluation={"metric": "r2"}
    ).json()
    assert requested["metric"] == "r2"
    assert "task_type_inferred" not in index_warnings(requested)


def test_labels_far_from_unit_scale_give_a_warning(http: TestClient) -> None:
    prices = csv_bytes([(f"house {row}", f"{1000 * row + 0.5}") for row in range(60)])
    assert "label_scale" in index_warnings(create(http, upload(http, prices)["id"]).json())


def test_a_requested_multi_label_task_reads_sets_of_labels_from_csv(http: TestClient) -> None:
    file = upload(http, make_tagged_csv())
    task = {"type": "multi_label_classification"}
    report = http.post(f"/v1/files/{file['id']}/validate", json={"task": task}).json()
    assert report["labels"] == [
        {"label": name, "count": n} for name, n in (("news", 30), ("sports", 30), ("travel", 15))
    ]
    assert report["valid"] is True
    assert {"code": "rows_without_labels", "count": 15} in [
        {"code": warning["code"], "count": warning["count"]} for warning in report["warnings"]
    ]
    job = create(http, file["id"], task=task).json()
    assert (job["task"]["label_names"], job["metric"]) == (["news", "sports", "travel"], "f1_micro")
    assert [entry["count"] for entry in job["dataset"]["labels"]] == [24, 24, 12]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_lists_of_labels_are_detected_as_multi_label(http: TestClient, kind: str) -> None:
    sets = [["b", "a"], [], ["c"], ["a"]]
    rows: list[dict[str, Any]] = [
        {"text": f"text {row}", "labels": sets[row % 4]} for row in range(40)
    ]
    if kind == "jsonl":
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    else:
        from tests.shared.datasets.files import parquet_bytes

        content = parquet_bytes({name: [row[name] for row in rows] for name in ("text", "labels")})
    file = upload(http, content, f"x.{kind}")
    assert file["profile"]["detected"]["type"] == "multi_label_classification"
    assert file["profile"]["valid"] is True
    assert [entry["label"] for entry in file["profile"]["labels"]] == ["a", "b", "c"]
    assert create(http, file["id"]).json()["task"]["label_names"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("content", "request_", "param"),
    [
        (make_rated_csv(), {"evaluation": {"metric": "accuracy"}}, "evaluation.metric"),
        (make_rated_csv(), {"recipe": {"class_weights": "balanced"}}, "recipe.class_weights"),
        (make_rated_csv(), {"task": {"label_names": ["1", "2"]}}, "task.label_names"),
        (
            make_tagged_csv(),
            {"task": {"type": "multi_label_classification"}, "evaluation": {"metric": "mcc"}},
            "evaluation.metric",
        ),
        (
            make_tagged_csv(),
            {"task": {"type": "multi_label_classification", "positive_label": "news"}},
            "task.positive_label",
        ),
        (
            make_grouped_csv(15),
            {"split": {"group_by": "author", "mode": "kfold", "k": 6}},
            "split.group_by",
        ),
    ],
)
def test_settings_that_do_not_fit_the_task_are_refused(
    http: TestClient, content: bytes, request_: dict[str, Any], param: str
) -> None:
    assert get_refusal(create(http, upload(http, content)["id"], **request_)) == (
        400,
        param,
        "invalid_value",
    )


def test_given_class_weights_are_kept(http: TestClient, file_id: str) -> None:
    recipe = {"preset": "conventional", "class_weights": {"good": 3.0}}
    job = create(http, file_id, recipe=recipe).json()
    assert job["resolved_recipe"]["class_weights"] == {"good": 3.0}


def test_a_test_file_is_counted_reported_and_protected(http: TestClient) -> None:
    training, test = upload(http, review_csv(50)), upload(http, review_csv(20, seed=4))
    job = create(http, training["id"], test_file=test["id"]).json()
    assert job["test_file"] == test["id"]
    assert job["dataset"]["rows"] == {"train": 40, "validation": 10, "test": 20}
    assert job["dataset"]["test_sha256"] == test["sha256"]
    assert http.get(f"{JOBS}/{job['id']}/stability").json()["split"] == "test"
    assert get_refusal(http.delete(f"/v1/files/{test['id']}")) == (400, "file_id", "file_in_use")
    both = create(http, training["id"], test_file=test["id"], split={"test_fraction": 0.1})
    assert get_refusal(both) == (400, "split.test_fraction", "invalid_value")
    unknown_label = upload(http, csv_bytes([("a text", "good"), ("another", "so-so")]))
    assert get_refusal(create(http, training["id"], test_file=unknown_label["id"])) == (
        400,
        "test_file",
        "invalid_value",
    )


def test_a_validation_file_can_be_halved_but_not_folded(http: TestClient) -> None:
    training, validation = upload(http, review_csv(50)), upload(http, review_csv(30, seed=4))
    files = {"training_file": training["id"], "validation_file": validation["id"]}
    job = create(
        http, training["id"], validation_file=validation["id"], split={"halve_validation": True}
    ).json()
    assert job["dataset"]["rows"] == {"train": 50, "validation": 15, "test": 15}
    folded = http.post(JOBS, json={**files, "model": "tiny-bert", "split": {"mode": "kfold"}})
    assert get_refusal(folded) == (400, "split.mode", "invalid_value")
    useless = http.post(JOBS, json={**files, "model": "tiny-bert", "split": {"group_by": "text"}})
    assert get_refusal(useless) == (400, "split.group_by", "invalid_value")


def test_a_k_fold_job_has_a_run_per_seed_and_fold(http: TestClient, file_id: str) -> None:
    job = create(http, file_id, split={"mode": "kfold", "k": 4}, runs={"seeds": [7, 9]}).json()
    assert (job["dataset"]["folds"], job["dataset"]["rows"]) == (
        4,
        {"train": 30, "validation": 10, "test": 0},
    )
    runs = http.get(f"{JOBS}/{job['id']}/runs").json()["data"]
    assert [(run["seed"], run["fold"]) for run in runs] == [
        (seed, fold) for seed in (7, 9) for fold in range(4)
    ]
    assert [
        run["fold"]
        for run in http.get(f"{JOBS}/{create(http, file_id).json()['id']}/runs").json()["data"]
    ] == [None] * 5


def test_rows_of_a_group_stay_in_one_split(http: TestClient) -> None:
    file = upload(http, make_grouped_csv())
    job = create(http, file["id"], split={"group_by": "author"}).json()
    assert all(rows % 3 == 0 for rows in job["dataset"]["rows"].values())
    assert sum(job["dataset"]["rows"].values()) == 60
    with_empty_group = upload(
        http,
        csv_bytes(
            [("a", "x", "1"), ("b", "y", ""), ("c", "x", "2"), ("d", "y", "3")],
            ("text", "label", "who"),
        ),
    )
    answer = create(http, with_empty_group["id"], split={"group_by": "who"})
    assert get_refusal(answer) == (400, "split.group_by", "invalid_value")
    assert "Row 2" in answer.json()["error"]["message"]


def test_validation_rows_with_a_training_text_are_reported(http: TestClient) -> None:
    training = upload(http, csv_bytes([(f"text {row}", "ab"[row % 2]) for row in range(40)]))
    copies = [("TEXT  3", "b"), ("text 4", "b"), ("new", "a"), ("text 8", "a")]
    job = create(
        http, training["id"], validation_file=upload(http, csv_bytes(list(copies)))["id"]
    ).json()
    assert job["dataset"]["leakage"] == {
        "validation": {"rows": 3, "first_rows": [1, 2, 4], "conflicting_labels": 1}
    }
    assert index_warnings(job)["leakage"].startswith(
        "3 validation rows (1, 2, 4) have the text of a training row, 1 of them"
    )
    clean = create(http, training["id"]).json()
    assert clean["dataset"]["leakage"] == {}
    assert "leakage" not in index_warnings(clean)
