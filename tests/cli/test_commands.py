"""Commands against a server that answers as told: what is asked of it, what people see, and the
exit codes.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.classify import resolve_model_id
from cli.client import Client
from cli.errors import BAD_INPUT, JOB_DID_NOT_SUCCEED, CliError
from tests.cli.test_client import FILE, Server
from tests.cli.test_client import JOB as BARE

MODEL = "ft:m:local:s:abc"
RECIPE = {
    "preset": "llrd",
    "max_steps": 3,
    "train_batch_size": 8,
    "learning_rate": 1e-4,
    "reinit_layers": 0,
}
JOB: dict[str, Any] = {**BARE, "resolved_recipe": RECIPE}
DONE = {**JOB, "status": "succeeded", "fine_tuned_model": MODEL}
RUN: dict[str, Any] = {
    "id": "ftrun-1", "index": 0, "seed": 0, "status": "failed", "degenerate": None, "attempt": 1,
    "step": 1, "total_steps": 3, "validation_score": None, "score": None, "error": None,
}  # fmt: skip
TARGET = {
    "scores": {"good": 0.875, "bad": 0.125},
    "predicted": "good",
    "truncated": False,
    "disagreement": None,
}
APART = {**TARGET, "predicted": "bad", "disagreement": {"vote_entropy": 0.5, "score_std": 0.25}}
PLAN: dict[str, Any] = {
    "model": "m",
    "task": {
        "type": "single_label_classification", "text_column": "text", "label_column": "label",
    },
    "recipe": {}, "resolved_recipe": None, "recipe_notes": {"learning_rate": "5e-5: a rule."},
    "pilots": {"automatic": ["reinit_layers", "max_steps"]}, "metric": "accuracy",
    "dataset": {"rows": {"train": 8, "validation": 2, "test": 0}},
    "warnings": [{"code": "c", "message": "Few rows."}],
    "runs": [
        {"purpose": "pilot", "seed": 9, "total_steps": 20},
        {"purpose": "main", "seed": 0, "total_steps": 30},
    ],
    "estimate": {"seconds": 90.0, "reason": "As measured.", "slots": 2, "steps": 50},
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


def run(server: Server, *arguments: str, answers: list[Any], given: str = "") -> Result:
    server.answers = [
        answer if isinstance(answer, tuple) else (200, {}, answer) for answer in answers
    ]
    return CliRunner().invoke(app, [*arguments, "--url", server.url], input=given)


def asked(server: Server) -> list[str]:
    return [line for line, _, _ in server.asked]


def test_texts_are_classified_by_a_jobs_model(server: Server) -> None:
    answer = {
        "model": MODEL,
        "members": [MODEL],
        "results": [{"label": TARGET}, {"label": {**TARGET, "truncated": True}}],
    }
    done = run(server, "classify", "ftjob-1", "fine [film]", "x" * 100, answers=[DONE, answer])
    assert done.exit_code == 0, done.output
    assert asked(server) == ["GET /v1/fine_tuning/jobs/ftjob-1", "POST /v1/classifications"]
    assert json.loads(server.asked[1][2]) == {
        "model": MODEL,
        "input": ["fine [film]", "x" * 100],
        "ensemble": False,
    }
    first, second = done.output.splitlines()[1:3]
    assert first.split() == ["fine", "[film]", "good", "0.875"]
    assert second.split() == ["x" * 59 + "…", "good", "0.875", "its", "end", "was", "not", "read"]


def test_an_ensemble_says_how_far_it_disagrees(server: Server) -> None:
    answer = {"model": MODEL, "members": [MODEL, f"{MODEL}:seed-1"], "results": [{"label": APART}]}
    done = run(server, "classify", MODEL, "dull", "--ensemble", answers=[answer])
    assert done.output.splitlines()[1].split() == ["dull", "bad", "0.125", "0.50", "0.250"]
    assert "2 models together" in done.output


def test_a_file_is_classified_and_does_not_stay(server: Server, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("text\na\n")
    batch = {
        "members": [MODEL],
        "output_file_id": "file-2",
        "request_counts": {"total": 1},
        "truncated": 0,
    }
    answers = [FILE, batch, b"row,predicted\n1,good\n", {}, {}]
    done = run(
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
    assert asked(server)[2:] == [
        "GET /v1/files/file-2/content",
        "DELETE /v1/files/file-2",
        "DELETE /v1/files/file-1",
    ]
    again = run(server, "classify", MODEL, "--file", str(tmp_path / "new.csv"), answers=[FILE])
    assert isinstance(again.exception, CliError)


def test_nothing_to_classify_and_a_job_without_a_model(server: Server) -> None:
    assert isinstance(run(server, "classify", MODEL, answers=[{}]).exception, CliError)
    server.answers = [(200, {}, JOB)]
    with (
        Client(server.url) as client,
        pytest.raises(CliError, match="has no model: it is queued") as refused,
    ):
        resolve_model_id(client, "ftjob-1")
    assert refused.value.exit_code == BAD_INPUT


@pytest.mark.parametrize(
    ("move", "status"), [("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")]
)
def test_moves_of_several_jobs(server: Server, move: str, status: str) -> None:
    done = run(server, move, "ftjob-1", "ftjob-2", answers=[{**JOB, "status": status}])
    assert asked(server) == [f"POST /v1/fine_tuning/jobs/ftjob-{n}/{move}" for n in (1, 2)]
    assert done.output == f"ftjob-1: {status}\n" * 2


def test_more_seeds_and_another_recipe(server: Server) -> None:
    assert (
        run(server, "extend", "ftjob-1", "--seeds", "3", "--detach", answers=[JOB]).exit_code == 0
    )
    assert (
        run(server, "clone", "ftjob-1", "--preset", "llrd", "--detach", answers=[JOB]).exit_code
        == 0
    )
    bodies = [json.loads(body) for _, _, body in server.asked]
    assert bodies == [{"num_seeds": 3}, {"recipe": {"preset": "llrd"}}]
    assert all("idempotency-key" in headers for _, headers, _ in server.asked)


def test_only_what_failed_is_tried_again(server: Server) -> None:
    runs = [
        RUN,
        {**RUN, "id": "ftrun-2", "status": "succeeded"},
        {**RUN, "id": "ftrun-3", "status": "cancelled"},
    ]
    assert (
        run(
            server, "retry", "ftjob-1", "--detach", answers=[{"data": runs}, RUN, RUN, JOB]
        ).exit_code
        == 0
    )
    assert asked(server)[1:3] == [
        f"POST /v1/fine_tuning/jobs/ftjob-1/runs/ftrun-{n}/retry" for n in (1, 3)
    ]
    assert isinstance(
        run(server, "retry", "ftjob-1", answers=[{"data": runs[1:2]}]).exception, CliError
    )


def test_deleting_asks_first(server: Server) -> None:
    assert run(server, "delete", "ftjob-1", answers=[{}], given="n\n").exit_code != 0
    assert server.asked == []
    assert "ftjob-1: deleted" in run(server, "delete", "ftjob-1", "--yes", answers=[{}]).output
    assert asked(server) == ["DELETE /v1/fine_tuning/jobs/ftjob-1"]


def test_events_are_followed_to_the_end_from_the_last_one_on(server: Server) -> None:
    def event(number: int, level: str = "info") -> dict[str, Any]:
        return {
            "id": f"ftevent-{number}",
            "created_at": 0,
            "level": level,
            "message": f"Event [{number}].",
        }

    frame = (
        f"id: ftevent-3\nevent: message\ndata: {json.dumps(event(3, 'warn'))}\n\n: still here\n\n"
    )
    stream = f'{frame}event: done\ndata: {{"status": "failed"}}\n\n'.encode()
    answers = [{"data": [event(2), event(1)]}, stream, {**JOB, "status": "failed"}]
    done = run(server, "events", "ftjob-1", "--follow", answers=answers)
    assert [line.split("  ")[1] for line in done.output.splitlines()] == [
        "Event [1].",
        "Event [2].",
        "warn: Event [3].",
    ]
    assert done.exit_code == JOB_DID_NOT_SUCCEED
    assert server.asked[1][1]["last-event-id"] == "ftevent-2"


def test_a_dry_run_says_what_would_be_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n")
    done = run(
        server,
        "train",
        str(tmp_path / "a.csv"),
        "--seeds",
        "1",
        "--dry-run",
        answers=[FILE, PLAN, {}],
    )
    assert done.exit_code == 0, done.output
    assert asked(server) == [
        "POST /v1/files",
        "POST /v1/fine_tuning/jobs?dry_run=true",
        "DELETE /v1/files/file-1",
    ]
    assert done.output.splitlines() == [
        (
            "single_label_classification: text → label, scored by accuracy; rows: 8 train, 2 "
            "validation"
        ),
        "m: 1 pilot of 20 steps find out reinit_layers and max_steps",
        "  learning_rate: 5e-5: a rule.",
        "1 run, 50 steps in all, 2 at a time: about 1 min 30 s. As measured.",
        "Warning: Few rows.",
    ]


def test_the_queue_and_what_is_missing_in_it(server: Server) -> None:
    training = {
        "run_id": "ftrun-1",
        "job_id": "ftjob-1",
        "worker": "w:7",
        "device": "cpu",
        "step": 2,
        "total_steps": 3,
    }
    worker = {"name": "w:1", "slots": 2, "busy": 1, "devices": ["cpu", "cpu"], "last_beat": 0}
    queue = {"depth": 4, "paused": 0, "running": [training], "workers": [worker]}
    said = run(server, "queue", answers=[queue]).output
    assert "1 run in training, 4 waiting, 0 paused" in said
    assert "ftjob-1 ftrun-1 2/3 w:7 cpu" in " ".join(said.split())
    idle = {"depth": 4, "paused": 0, "running": [], "workers": []}
    assert (
        "nothing will be trained until one is started"
        in run(server, "queue", answers=[idle]).output
    )
