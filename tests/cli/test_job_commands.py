"""The client's commands on a real service: a tiny encoder, real jobs, from upload to report."""

import contextlib
import csv
import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import httpx

from cli.errors import BAD_INPUT, INTERRUPTED, JOB_DID_NOT_SUCCEED
from shared.infra.child_process import build_module_command
from tests.cli.stack import (
    ENDLESS,
    TINY,
    RunningStack,
    await_training,
    create_job,
    environment,
    get_status,
)


def test_jobs_and_show(stack: RunningStack, trained: str) -> None:
    assert re.search(
        rf"{trained} .* succeeded +tiny-bert +stabilized +2/2 +100%", stack.evenkeel("jobs").stdout
    )
    shown = stack.evenkeel("show", trained)
    assert shown.returncode == 0
    assert "2 of 2 succeeded" in shown.stdout
    answer = json.loads(stack.evenkeel("show", trained, "--json").stdout)
    assert answer["job"]["id"] == trained
    assert answer["stability"]["n"] == 2


def test_report_files(stack: RunningStack, trained: str, tmp_path: Path) -> None:
    html, png, table = tmp_path / "r.html", tmp_path / "r.png", tmp_path / "r.csv"
    done = stack.evenkeel(
        "report", trained, "--html", str(html), "--png", str(png), "--csv", str(table)
    )
    assert done.returncode == 0, done.stderr
    address = f"{stack.url}/v1/fine_tuning/jobs/{trained}/stability"
    for path in (html, png, table):
        assert path.read_bytes() == httpx.get(f"{address}{path.suffix}", timeout=60).content
    assert png.read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [(row["seed"], row["status"]) for row in rows] == [
        ("0", "succeeded"),
        ("1", "succeeded"),
    ]
    scores = [
        run["score"]
        for run in httpx.get(f"{stack.url}/v1/fine_tuning/jobs/{trained}/stability").json()["runs"]
    ]
    assert [float(row["score"]) for row in rows] == scores


def test_download(stack: RunningStack, trained: str, tmp_path: Path) -> None:
    model = httpx.get(f"{stack.url}/v1/fine_tuning/jobs/{trained}").json()["fine_tuned_model"]
    done = stack.evenkeel("download", model, str(tmp_path / "model"))
    assert done.returncode == 0, done.stderr
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        file.name for file in (tmp_path / "model").iterdir()
    }
    assert json.loads((tmp_path / "model" / "config.json").read_text())["label2id"] == {
        "neg": 0,
        "pos": 1,
    }
    assert stack.evenkeel("download", model, str(tmp_path / "model")).returncode == BAD_INPUT
    assert stack.evenkeel("download", "tiny-bert", str(tmp_path / "base")).returncode == BAD_INPUT


def test_bad_input_is_one_line_and_exit_code_2(
    stack: RunningStack, rows: str, tmp_path: Path
) -> None:
    refused = stack.evenkeel("train", rows, "--model", "tiny-bert", "--reinit-layers", "99")
    assert (refused.returncode, refused.stderr.count("\n")) == (BAD_INPUT, 1), refused.stderr
    assert "--reinit-layers" in refused.stderr
    assert (
        stack.evenkeel("train", rows, "--model", "tiny-bert", "--epochs", "nan").returncode
        == BAD_INPUT
    )
    (tmp_path / "picture.csv").write_bytes(bytes(range(256)) * 40)
    assert (
        stack.evenkeel("train", str(tmp_path / "picture.csv"), "--model", "tiny-bert").returncode
        == BAD_INPUT
    )
    assert stack.evenkeel("train", str(tmp_path / "no.csv")).returncode == BAD_INPUT
    assert stack.evenkeel("show", "ftjob-none").returncode == BAD_INPUT


def test_following_a_cancelled_job_exits_with_1(stack: RunningStack, rows: str) -> None:
    job = create_job(stack, rows, *TINY, "--seeds", "1", *ENDLESS)
    await_training(stack, job)
    assert stack.evenkeel("cancel", job).stdout == f"{job}: cancelled\n"
    assert stack.evenkeel("show", job, "--follow").returncode == JOB_DID_NOT_SUCCEED


def heed_ctrl_c() -> None:
    """Restore the default handler: background processes of a shell inherit an ignored SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_while_following_does_not_stop_the_job(stack: RunningStack, rows: str) -> None:
    job = create_job(stack, rows, *TINY, "--seeds", "1", *ENDLESS)
    await_training(stack, job)
    follower = subprocess.Popen(
        build_module_command("cli", "show", job, "--follow"),
        env=environment(EVENKEEL_URL=stack.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    )
    assert follower.stdout is not None
    follower.stdout.readline()
    follower.send_signal(signal.SIGINT)
    said = follower.communicate(timeout=60)[1].splitlines()
    assert follower.returncode == INTERRUPTED
    assert said[1:] == [f"  evenkeel show {job} --follow", f"  evenkeel cancel {job}"]
    assert get_status(stack, job) == "running"
    stack.evenkeel("cancel", job)


def test_a_terminal_shows_one_bar_per_run(stack: RunningStack, rows: str) -> None:
    said = in_terminal(
        "train", rows, *TINY, "--seeds", "2", "--max-steps", "12", EVENKEEL_URL=stack.url
    )
    for seed in (0, 1):
        assert re.search(rf"seed {seed} .*━+.* 12/12  (succeeded|degenerate) .*loss \d", said), said
    assert re.search(r"total .*━+.* 100%  24/24 steps", said), said
    assert "2 of 2 succeeded" in said


def in_terminal(*arguments: str, **settings: str) -> str:
    """Return what a command shows on a terminal, without colors and cursor movements."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        build_module_command("cli", *arguments),
        env=environment(TERM="xterm-256color", **settings),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    with (
        contextlib.suppress(OSError),
        os.fdopen(ours, "rb", buffering=0) as terminal,
    ):  # EIO: the last writer has gone
        while chunk := terminal.read(65536):
            said += chunk
    assert process.wait(timeout=60) == 0, said
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())


def test_compare(stack: RunningStack, trained: str, rows: str, tmp_path: Path) -> None:
    other = create_job(
        stack, rows, *TINY, "--seeds", "2", "--max-steps", "4", "--preset", "conventional"
    )
    page = tmp_path / "side-by-side.html"
    done = stack.evenkeel("compare", other, trained, "--html", str(page))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "B against A" in done.stdout
    again = json.loads(stack.evenkeel("compare", other, trained, "--json").stdout)
    assert again["pairs"][0]["verdict"]["code"] in {
        "not_enough_seeds",
        "all_degenerate",
    }  # two seeds show nothing
    assert again["pairs"][0]["verdict"]["text"] in done.stdout
    assert "stabilized against conventional" in page.read_text()
    by_metric = stack.evenkeel("compare", other, trained, "--metric", "f1", "--html", str(page))
    assert by_metric.returncode == 0, by_metric.stderr
    assert "f1" in page.read_text()
    refused = stack.evenkeel("compare", other, "ftjob-none")
    assert (refused.returncode, "ftjob-none" in refused.stderr) == (BAD_INPUT, True), refused.stderr
