"""Commands about jobs against a fake service: requests, output and exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.errors import JOB_DID_NOT_SUCCEED, CliError
from tests.cli.fake_service import FILE, Server, make_id
from tests.cli.fake_service import JOB as BARE
from tests.cli.runner import list_requests, run_command

FIRST, SECOND = make_id("ftjob", 1), make_id("ftjob", 2)
RECIPE = {
    "preset": "llrd",
    "max_steps": 3,
    "train_batch_size": 8,
    "learning_rate": 1e-4,
    "reinit_layers": 0,
}
JOB: dict[str, Any] = {**BARE, "resolved_recipe": RECIPE}
RUN: dict[str, Any] = {
    "id": "ftrun-1",
    "index": 0,
    "seed": 0,
    "status": "failed",
    "degenerate": None,
    "attempt": 1,
    "step": 1,
    "total_steps": 3,
    "validation_score": None,
    "score": None,
    "error": None,
}
PLAN: dict[str, Any] = {
    "model": "m",
    "task": {"type": "single_label_classification", "text_column": "text", "label_column": "label"},
    "recipe": {},
    "resolved_recipe": None,
    "recipe_notes": {"learning_rate": "5e-5: a rule."},
    "pilots": {"automatic": ["learning_rate", "reinit_layers", "max_steps"], "limit": 150},
    "metric": "accuracy",
    "dataset": {
        "rows": {"train": 8, "validation": 2, "test": 0},
        "labels": [{"label": "neg", "count": 5}, {"label": "[b]pos", "count": 3}],
    },
    "warnings": [{"code": "c", "message": "Few rows."}],
    "runs": [
        {"purpose": "pilot", "seed": 9, "total_steps": 20},
        {"purpose": "main", "seed": 0, "total_steps": 30},
    ],
    "estimate": {"seconds": 90.0, "reason": "As measured.", "slots": 2, "steps": 50},
}


@pytest.mark.parametrize(
    ("move", "status"), [("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")]
)
def test_actions_on_several_jobs(server: Server, move: str, status: str) -> None:
    done = run_command(server, move, FIRST, SECOND, answers=[{**JOB, "status": status}])
    assert list_requests(server) == [
        f"POST /v1/fine_tuning/jobs/{job}/{move}" for job in (FIRST, SECOND)
    ]
    assert done.output == f"ftjob-1: {status}\n" * 2


def test_extend_and_clone(server: Server) -> None:
    assert (
        run_command(server, "extend", FIRST, "--seeds", "3", "--detach", answers=[JOB]).exit_code
        == 0
    )
    assert (
        run_command(server, "clone", FIRST, "--preset", "llrd", "--detach", answers=[JOB]).exit_code
        == 0
    )
    bodies = [json.loads(body) for _, _, body in server.asked]
    assert bodies == [{"num_seeds": 3}, {"recipe": {"preset": "llrd"}}]
    assert all("idempotency-key" in headers for _, headers, _ in server.asked)


def test_clone_and_recipes_take_a_revision(server: Server) -> None:
    cloned = run_command(server, "clone", FIRST, "--revision", "v2", "--detach", answers=[JOB])
    assert cloned.exit_code == 0, cloned.output
    assert json.loads(server.asked[-1][2]) == {"model_revision": "v2"}
    query = ("--model", "acme/bert", "--revision", "a/b")
    assert run_command(server, "recipes", *query, answers=[{"data": []}]).exit_code == 0
    [asked] = list_requests(server)[-1:]
    assert asked.endswith("?model=acme%2Fbert&train_rows=1000&model_revision=a%2Fb")
    assert run_command(server, "recipes", answers=[{"data": []}]).exit_code == 0
    assert "model_revision" not in list_requests(server)[-1]


def test_retry_takes_only_failed_and_cancelled_runs(server: Server) -> None:
    runs = [
        RUN,
        {**RUN, "id": "ftrun-2", "status": "succeeded"},
        {**RUN, "id": "ftrun-3", "status": "cancelled"},
    ]
    assert (
        run_command(
            server, "retry", FIRST, "--detach", answers=[{"data": runs}, RUN, RUN, JOB]
        ).exit_code
        == 0
    )
    assert list_requests(server)[1:3] == [
        f"POST /v1/fine_tuning/jobs/{FIRST}/runs/ftrun-{n}/retry" for n in (1, 3)
    ]
    assert isinstance(
        run_command(server, "retry", FIRST, answers=[{"data": runs[1:2]}]).exception, CliError
    )


def test_delete_asks_for_confirmation(server: Server) -> None:
    assert run_command(server, "delete", FIRST, answers=[{}], given="n\n").exit_code != 0
    assert server.asked == []
    assert f"{FIRST}: deleted" in run_command(server, "delete", FIRST, "--yes", answers=[{}]).output
    assert list_requests(server) == [f"DELETE /v1/fine_tuning/jobs/{FIRST}"]


def test_follows_events_after_the_last_one_to_the_end(server: Server) -> None:
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
    done = run_command(server, "events", FIRST, "--follow", answers=answers)
    assert [line.split("  ")[1] for line in done.output.splitlines()] == [
        "Event [1].",
        "Event [2].",
        "warn: Event [3].",
    ]
    assert done.exit_code == JOB_DID_NOT_SUCCEED
    assert server.asked[1][1]["last-event-id"] == "ftevent-2"


def test_a_dry_run_prints_the_plan_and_deletes_the_upload(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n")
    done = run_command(
        server,
        "train",
        str(tmp_path / "a.csv"),
        "--seeds",
        "1",
        "--dry-run",
        answers=[FILE, PLAN, {}],
    )
    assert done.exit_code == 0, done.output
    assert list_requests(server) == [
        "POST /v1/files",
        "POST /v1/fine_tuning/jobs?dry_run=true",
        "DELETE /v1/files/file-1",
    ]
    assert done.output.splitlines() == [
        "a.csv: uploaded",
        "Warning (c): Few rows.",
        (
            "single_label_classification: text → label, scored by accuracy; rows: 8 train, 2 "
            "validation"
        ),
        "2 labels by training rows: neg 5, [b]pos 3",
        "m: 1 pilot of 20 steps begins the search for learning_rate, reinit_layers and max_steps, "
        "which takes at most 150 steps in all",
        "  learning_rate: 5e-5: a rule.",
        "1 run, 50 steps in total, 2 at a time: about 1 min 30 s. As measured.",
    ]


PROFILED: dict[str, Any] = {
    **FILE,
    "status_details": "CSV: 40 rows, 12 errors.",
    "profile": {
        "rows": 40,
        "errors": [{"row": row, "message": "The [text] is empty."} for row in range(1, 13)],
        "errors_total": 12,
        "warnings": [
            {"code": "columns_not_detected", "message": "Set task.label_column."},
            {"code": "blank_lines", "message": "Blank lines were skipped."},
        ],
    },
}


def train(server: Server, folder: Path, *options: str, answers: list[Any]) -> Any:
    (folder / "a.csv").write_text("text,label\n")
    return run_command(server, "train", str(folder / "a.csv"), *options, answers=answers)


def test_train_prints_what_the_file_holds(server: Server, tmp_path: Path) -> None:
    job = {**JOB, "warnings": [{"code": "blank_lines", "message": "Blank lines. Count: 2."}]}
    done = train(server, tmp_path, "--detach", "--header", "false", answers=[PROFILED, job])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[:2] == ["a.csv: CSV: 40 rows, 12 errors.", "Row 1: The [text] is empty."]
    assert lines[11] == "… and 2 more rows with errors"
    assert [line for line in lines if "Blank lines" in line] == [
        "Warning (blank_lines): Blank lines. Count: 2."
    ]
    assert json.loads(server.asked[1][2])["task"] == {"header": False}


@pytest.mark.parametrize("dry", [True, False])
def test_a_refused_job_leaves_the_warnings_of_its_file(
    server: Server, tmp_path: Path, *, dry: bool
) -> None:
    error = {"message": "Set task.label_column.", "param": "task.label_column", "code": "c"}
    options = ["--dry-run"] if dry else []
    answers = [PROFILED, (400, {}, {"error": error}), {}]
    done = train(server, tmp_path, *options, answers=answers)
    assert isinstance(done.exception, CliError)
    assert "a.csv: Warning (blank_lines): Blank lines were skipped." in done.output
    assert "Set task.label_column" not in done.output
    assert str(done.exception) == "Set --label-column."
    assert list_requests(server)[2:] == ["DELETE /v1/files/file-1"]


def test_preview_reads_the_file_with_the_given_header(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n")
    shown = {"model": "m", "max_seq_length": 8, "truncated": 0, "data": []}
    done = run_command(
        server,
        "preview",
        str(tmp_path / "a.csv"),
        "--header",
        "false",
        answers=[PROFILED, PROFILED["profile"], shown, {}],
    )
    assert done.exit_code == 0, done.output
    assert "a.csv: 40 rows" in done.output
    assert json.loads(server.asked[1][2]) == {"task": {"header": False}}
    assert list_requests(server)[1:] == [
        "POST /v1/files/file-1/validate",
        "GET /v1/files/file-1/preview?model=all-MiniLM-L6-v2&n=5&header=false",
        "DELETE /v1/files/file-1",
    ]


def test_queue_with_and_without_workers(server: Server) -> None:
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
    said = run_command(server, "queue", answers=[queue]).output
    assert "1 run in training, 4 waiting, 0 paused" in said
    shared = {**queue, "total_depth": 9}
    said_to_admin = run_command(server, "queue", answers=[shared]).output
    assert "4 waiting (of all owners: 9), 0 paused" in said_to_admin
    assert (
        "of all owners"
        not in run_command(server, "queue", answers=[{**queue, "total_depth": 4}]).output
    )
    assert "ftrun-1 ftjob-1 2/3 w:7 cpu" in " ".join(said.split())
    idle = {"depth": 4, "paused": 0, "running": [], "workers": []}
    assert (
        "Start one to train the waiting runs" in run_command(server, "queue", answers=[idle]).output
    )


def test_a_plan_of_one_step_is_counted_as_one(server: Server, tmp_path: Path) -> None:
    plan = {
        **PLAN,
        "pilots": {**PLAN["pilots"], "limit": 1},
        "runs": [{"purpose": "pilot", "seed": 9, "total_steps": 1}, *PLAN["runs"][1:]],
        "estimate": {**PLAN["estimate"], "steps": 1},
    }
    said = train(server, tmp_path, "--dry-run", answers=[FILE, plan, {}]).output
    assert "1 pilot of 1 step begins the search" in said
    assert "which takes at most 1 step in all" in said
    assert "1 run, 1 step in total" in said
    large = {**plan, "estimate": {**PLAN["estimate"], "steps": 12_000}}
    said = train(server, tmp_path, "--dry-run", answers=[FILE, large, {}]).output
    assert "12,000 steps in total" in said


def test_an_unknown_id_is_refused_without_the_name_of_a_parameter(server: Server) -> None:
    error = {"message": "No job has the ID 'x'.", "param": "fine_tuning_job_id", "code": "c"}
    done = run_command(server, "show", FIRST, answers=[(404, {}, {"error": error})])
    assert str(done.exception) == "No job has the ID 'x'."


def test_a_refused_model_is_refused_without_the_name_of_a_parameter(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text("{}")
    error = {"message": "The model has no weights.", "param": "file", "code": "c"}
    done = run_command(
        server, "models", "upload", str(tmp_path), answers=[(422, {}, {"error": error})]
    )
    assert str(done.exception) == "The model has no weights."


@pytest.mark.parametrize(("shown", "said"), [(1, "the largest 1 is shown"), (2, "2 are shown")])
def test_usage_says_how_many_items_are_shown(server: Server, shown: int, said: str) -> None:
    item = {"kind": "file", "id": "file-1", "job_id": None, "name": "a.csv", "bytes": 5}
    usage = {"bytes": 20, "items": 4, "data": [item] * shown}
    assert said in run_command(server, "usage", answers=[usage]).output
