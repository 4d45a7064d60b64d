"""``evenkeel classify`` against a fake service: requests, output and exit codes."""

import json
from pathlib import Path

import pytest

from cli.client import Client
from cli.errors import BAD_INPUT, CliError
from cli.identifiers import resolve_model_id
from tests.cli.fake_service import FILE, JOB, Server, make_id
from tests.cli.runner import list_requests, run_command

JOB_ID = make_id("ftjob", 1)
MODEL = "ft:m:local:s:0000abcd"
FOUND = {"id": MODEL, "job_id": JOB_ID}
PAIRED = {**JOB, "task": {"text_column": "a", "text_pair_column": "b"}}
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
        server, "classify", JOB_ID, "fine [film]", "x" * 100, answers=[DONE, FOUND, DONE, answer]
    )
    assert done.exit_code == 0, done.output
    assert list_requests(server)[0] == f"GET /v1/fine_tuning/jobs/{JOB_ID}"
    assert list_requests(server)[-1] == "POST /v1/classifications"
    assert json.loads(server.asked[-1][2]) == {
        "model": MODEL,
        "input": ["fine [film]", "x" * 100],
        "ensemble": False,
    }
    first, second = done.output.splitlines()[1:3]
    assert first.split() == ["fine", "[film]", "good", "0.875"]
    assert second.split() == ["x" * 59 + "…", "good", "0.875", "truncated"]


def test_ensemble_output_shows_the_disagreement(server: Server) -> None:
    answer = {"model": MODEL, "members": [MODEL, f"{MODEL}:seed-1"], "results": [{"label": APART}]}
    done = run_command(
        server, "classify", MODEL, "dull", "--ensemble", answers=[FOUND, JOB, answer]
    )
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
        resolve_model_id(client, JOB_ID)
    assert refused.value.exit_code == BAD_INPUT


def test_texts_of_a_pair_model_are_sent_two_at_a_time(server: Server) -> None:
    answer = {"model": MODEL, "members": [MODEL], "results": [{"label": TARGET}] * 2}
    done = run_command(
        server, "classify", MODEL, "a", "b", "c", "d", answers=[FOUND, PAIRED, answer]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(server.asked[-1][2])["input"] == [
        {"text_a": "a", "text_b": "b"},
        {"text_a": "c", "text_b": "d"},
    ]
    assert [line.split()[:2] for line in done.output.splitlines()[1:]] == [["a", "b"], ["c", "d"]]


@pytest.mark.parametrize("texts", [("a",), ("a", "b", "c")])
def test_a_text_without_a_second_one_is_refused(server: Server, texts: tuple[str, ...]) -> None:
    done = run_command(server, "classify", MODEL, *texts, answers=[FOUND, PAIRED])
    assert isinstance(done.exception, CliError)
    assert f'evenkeel classify {MODEL} "first text" "second text"' in str(done.exception)
    assert len(server.asked) == 2


def test_a_broken_download_leaves_no_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("a,b\nx,y\n")
    batch = {
        "members": [MODEL],
        "output_file_id": "file-2",
        "request_counts": {"total": 1},
        "truncated": 0,
    }
    refusal: tuple[int, dict[str, str], object] = (
        404,
        {},
        {"error": {"message": "Gone.", "param": None, "code": "c"}},
    )
    columns = ("--text-column", "a", "--text-pair-column", "b")
    answers = [FILE, batch, refusal, {}]
    file = str(tmp_path / "new.csv")
    done = run_command(server, "classify", MODEL, "--file", file, *columns, answers=answers)
    assert isinstance(done.exception, CliError)
    sent = json.loads(server.asked[1][2])
    assert (sent["text_column"], sent["text_pair_column"]) == ("a", "b")
    assert list_requests(server)[3:] == ["DELETE /v1/files/file-2", "DELETE /v1/files/file-1"]
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]
