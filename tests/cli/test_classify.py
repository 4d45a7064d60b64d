"""``evenkeel classify`` against a fake service: requests, output and exit codes."""

import json
from pathlib import Path

import pytest

from cli.classify import resolve_model_id
from cli.client import Client
from cli.errors import BAD_INPUT, CliError
from tests.cli.fake_service import FILE, JOB, Server
from tests.cli.runner import list_requests, run_command

MODEL = "ft:m:local:s:abc"
DONE = {**JOB, "status": "succeeded", "fine_tuned_model": MODEL}
TARGET = {
    "scores": {"good": 0.875, "bad": 0.125},
    "predicted": "good",
    "truncated": False,
    "disagreement": None,
}
APART = {**TARGET, "predicted": "bad", "disagreement": {"vote_entropy": 0.5, "score_std": 0.25}}


def test_texts_are_classified_by_a_jobs_model(server: Server) -> None:
    answer = {
        "model": MODEL,
        "members": [MODEL],
        "results": [{"label": TARGET}, {"label": {**TARGET, "truncated": True}}],
    }
    done = run_command(
        server, "classify", "ftjob-1", "fine [film]", "x" * 100, answers=[DONE, answer]
    )
    assert done.exit_code == 0, done.output
    assert list_requests(server) == ["GET /v1/fine_tuning/jobs/ftjob-1", "POST /v1/classifications"]
    assert json.loads(server.asked[1][2]) == {
        "model": MODEL,
        "input": ["fine [film]", "x" * 100],
        "ensemble": False,
    }
    first, second = done.output.splitlines()[1:3]
    assert first.split() == ["fine", "[film]", "good", "0.875"]
    assert second.split() == ["x" * 59 + "…", "good", "0.875", "truncated"]


def test_ensemble_output_shows_the_disagreement(server: Server) -> None:
    answer = {"model": MODEL, "members": [MODEL, f"{MODEL}:seed-1"], "results": [{"label": APART}]}
    done = run_command(server, "classify", MODEL, "dull", "--ensemble", answers=[answer])
    assert done.output.splitlines()[1].split() == ["dull", "bad", "0.125", "0.50", "0.250"]
    assert "ensemble of 2 models" in done.output


def test_a_classified_file_is_deleted_from_the_service(server: Server, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("text\na\n")
    batch = {
        "members": [MODEL],
        "output_file_id": "file-2",
        "request_counts": {"total": 1},
        "truncated": 0,
    }
    answers = [FILE, batch, b"row,predicted\n1,good\n", {}, {}]
    done = run_command(
        server,
        "classify",
        MODEL,
        "--file",
        str(tmp_path / "new.csv"),
        "--text-column",
        "0",
        answers=answers,
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "new.csv.answers.csv").read_text() == "row,predicted\n1,good\n"
    assert json.loads(server.asked[1][2]) == {
        "model": MODEL,
        "input_file": "file-1",
        "ensemble": False,
        "text_column": 0,
    }
    assert list_requests(server)[2:] == [
        "GET /v1/files/file-2/content",
        "DELETE /v1/files/file-2",
        "DELETE /v1/files/file-1",
    ]
    again = run_command(
        server, "classify", MODEL, "--file", str(tmp_path / "new.csv"), answers=[FILE]
    )
    assert isinstance(again.exception, CliError)


def test_refuses_no_input_and_a_job_without_a_model(server: Server) -> None:
    assert isinstance(run_command(server, "classify", MODEL, answers=[{}]).exception, CliError)
    server.answers = [(200, {}, JOB)]
    with (
        Client(server.url) as client,
        pytest.raises(CliError, match="has no model; its status is queued") as refused,
    ):
        resolve_model_id(client, "ftjob-1")
    assert refused.value.exit_code == BAD_INPUT
