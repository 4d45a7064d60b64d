"""A job's file of unlabelled texts: what is planned, warned of and refused. No worker runs."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from shared.db.session import Database
from tests.api.job_requests import JOBS, create_job, fail_job, get_refusal
from tests.api.test_tasks_and_splits import index_warnings, upload
from tests.make import csv_bytes, reviews

DISTILLED: dict[str, Any] = {
    "artifacts": {"publish": "distilled"},
    "recipe": {"max_steps": 40, "reinit_layers": 1},
    "hyperparameters": None,
}
NEW_TEXTS = [(f"never seen story {row}",) for row in range(30)]
TEXT_ONLY = csv_bytes([(str(row), *text) for row, text in enumerate(NEW_TEXTS)], ("id", "text"))


def test_new_texts_are_counted_and_named_everywhere(http: TestClient, file_id: str) -> None:
    file = upload(http, TEXT_ONLY)
    request = {"training_file": file_id, "model": "tiny-bert", **DISTILLED}
    request["unlabelled_file"] = file["id"]
    planned = http.post(JOBS, json={**request, "dry_run": True}).json()
    job = http.post(JOBS, json=request).json()
    for answer in (planned, job, http.get(f"{JOBS}/{job['id']}").json()):
        assert answer["unlabelled_file"] == file["id"]
        assert answer["dataset"]["rows"]["unlabelled"] == 30
        assert answer["dataset"]["filenames"]["unlabelled_file"] == file["filename"]
        assert len(answer["dataset"]["unlabelled_sha256"]) == 64
        assert not [code for code in index_warnings(answer) if code.startswith("unlabelled")]
    page = http.get(f"{JOBS}/{job['id']}/stability.html").text
    assert "unlabelled file" in page
    assert "30 new texts" in page
    plain = create_job(http, file_id, **DISTILLED)
    assert plain["unlabelled_file"] is None
    assert not {"unlabelled", "unlabelled_sha256"} & {*plain["dataset"], *plain["dataset"]["rows"]}


def test_copies_are_left_out_and_labels_ignored(http: TestClient) -> None:
    rows = reviews(80)
    training = upload(http, csv_bytes(list(rows)))["id"]
    copies: list[tuple[str, ...]] = [(text.upper(), "an unknown label") for text, _ in rows[:10]]
    added: list[tuple[str, ...]] = [
        ("never seen story", ""),
        ("Never  seen story", "good"),
        ("another one", "bad"),
    ]
    file = upload(http, csv_bytes(copies + added))["id"]
    split = {"validation_fraction": 0.5, "test_fraction": 0.2}
    job = create_job(http, training, unlabelled_file=file, split=split, **DISTILLED)
    found = index_warnings(job)
    held_out = job["dataset"]["rows"]["unlabelled"] - 2
    assert 0 < held_out < 10
    assert "column 'label', which is ignored" in found["unlabelled_labels_ignored"]
    assert found["unlabelled_duplicates"].startswith(f"{11 - held_out} of 13 rows")
    severities = {one["code"]: one["severity"] for one in job["warnings"]}
    assert severities["unlabelled_duplicates"] == severities["unlabelled_labels_ignored"] == "low"
    assert severities["unlabelled_leakage"] == "medium"
    leaks = [one["message"] for one in job["warnings"] if one["code"] == "unlabelled_leakage"]
    assert sum(int(message.split()[0]) for message in leaks) == held_out
    assert "leakage" not in found


def test_texts_of_a_test_file_are_a_caution(http: TestClient, file_id: str) -> None:
    file = upload(http, TEXT_ONLY)["id"]
    scored: list[tuple[str, ...]] = [
        ("a good film", "good"),
        ("Never seen story 7", "bad"),
        ("x", "bad"),
    ]
    test = upload(http, csv_bytes(scored))["id"]
    job = create_job(http, file_id, unlabelled_file=file, test_file=test, **DISTILLED)
    warning = index_warnings(job)["unlabelled_leakage"]
    assert warning.startswith("1 test row (2) has a text of unlabelled_file")
    assert not job["dataset"].get("leakage")


def test_texts_that_a_distillation_has_no_steps_for_are_said(
    http: TestClient, file_id: str
) -> None:
    file = upload(http, TEXT_ONLY)["id"]
    short = DISTILLED | {"recipe": {"max_steps": 5, "train_batch_size": 8, "reinit_layers": 1}}
    job = create_job(http, file_id, unlabelled_file=file, **short)
    read = 5 * 8 - job["dataset"]["rows"]["train"]
    assert 0 < read < 30
    assert f"then {read} of the 30 unlabelled" in index_warnings(job)["unlabelled_texts_unread"]
    searched = DISTILLED | {"recipe": {}}
    job = create_job(http, file_id, unlabelled_file=file, **searched)
    assert "unlabelled_texts_unread" not in index_warnings(job)


@pytest.mark.parametrize("publish", ["auto", "best_run", "ensemble"])
def test_only_a_distillation_reads_unlabelled_texts(
    publish: str, http: TestClient, file_id: str
) -> None:
    request = {"training_file": file_id, "model": "tiny-bert", "unlabelled_file": "file-none"}
    answer = http.post(JOBS, json={**request, "artifacts": {"publish": publish}})
    assert get_refusal(answer) == (400, "invalid_value", "unlabelled_file")
    assert "artifacts.publish" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (csv_bytes([("1", "a")], ("id", "words")), "no column with this name"),
        (csv_bytes([("1", "a"), ("2", " "), ("3", "")], ("id", "text")), "2 rows (2, 3) have no"),
        (b"id,text\n1,a\n2\n", "1 of the file's 2 rows cannot be read"),
        (csv_bytes(list(reviews(80))), "Every text of the file is a training row's"),
    ],
)
def test_an_unfit_file_is_refused_before_the_queue(
    content: bytes, part: str, http: TestClient
) -> None:
    training = upload(http, csv_bytes(list(reviews(80))))["id"]
    validation = upload(http, csv_bytes([("odd", "good"), ("even", "bad")]))["id"]
    request = {"training_file": training, "validation_file": validation, "model": "tiny-bert"}
    request["unlabelled_file"] = upload(http, content)["id"]
    answer = http.post(JOBS, json={**request, **DISTILLED})
    assert get_refusal(answer) == (400, "invalid_value", "unlabelled_file")
    assert part in answer.json()["error"]["message"]


def test_a_missing_file_is_refused(http: TestClient, file_id: str) -> None:
    request = {"training_file": file_id, "model": "tiny-bert", **DISTILLED}
    for value in ("file-none", 3):
        answer = http.post(JOBS, json={**request, "unlabelled_file": value})
        assert get_refusal(answer)[2] == "unlabelled_file"


def test_the_file_stays_while_the_job_needs_it(
    http: TestClient, database: Database, file_id: str
) -> None:
    file = upload(http, TEXT_ONLY)["id"]
    job = create_job(http, file_id, unlabelled_file=file, **DISTILLED)
    assert get_refusal(http.delete(f"/v1/files/{file}")) == (400, "file_in_use", "file_id")
    fail_job(database, job["id"])
    assert http.delete(f"/v1/files/{file}").status_code == 200
    refused = http.post(f"{JOBS}/{job['id']}/extend", json={"num_seeds": 1})
    assert get_refusal(refused) == (400, "invalid_value", "fine_tuning_job_id")
    assert f"File {file}" in refused.json()["error"]["message"]
    assert "(deleted" in http.get(f"{JOBS}/{job['id']}/stability.html").text


def test_a_clone_keeps_replaces_or_drops_the_file(http: TestClient, file_id: str) -> None:
    file, other = upload(http, TEXT_ONLY)["id"], upload(http, TEXT_ONLY)["id"]
    job = create_job(http, file_id, unlabelled_file=file, **DISTILLED)
    url = f"{JOBS}/{job['id']}/clone"
    assert http.post(url).json()["unlabelled_file"] == file
    assert http.post(url, json={"unlabelled_file": other}).json()["unlabelled_file"] == other
    assert http.post(url, json={"unlabelled_file": None}).json()["unlabelled_file"] is None
    plain = {"artifacts": {"publish": "best_run"}}
    assert get_refusal(http.post(url, json=plain))[2] == "unlabelled_file"
    assert http.post(url, json=plain | {"unlabelled_file": None}).status_code == 200
    begun = create_job(http, file_id, **DISTILLED)
    added = http.post(f"{JOBS}/{begun['id']}/clone", json={"unlabelled_file": file}).json()
    assert added["unlabelled_file"] == file
