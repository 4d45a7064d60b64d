"""The whole way through with the command line: a real stack, a tiny encoder, real jobs."""

import contextlib
import csv
import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.errors import BAD_INPUT, INTERRUPTED, JOB_DID_NOT_SUCCEED
from shared.infra.child_process import build_module_command
from tests.cli.stack import RunningStack, environment, reviews
from tests.processes import await_end, until

TINY = (
    "--model",
    "tiny-bert",
    "--batch-size",
    "8",
    "--reinit-layers",
    "1",
    "--text-column",
    "text",
    "--label-column",
    "label",
)
ENDLESS = ("--max-steps", "20000", "--detach")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(reviews(tmp_path_factory.mktemp("data") / "reviews.csv"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[RunningStack]:
    stack = RunningStack(tmp_path_factory.mktemp("stack") / "a home, with blanks", model_dir)
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def trained(stack: RunningStack, rows: str) -> str:
    """Id of a job that has ended; made by ``evenkeel train``, which is what this fixture tests
    as well.
    """
    done = stack.evenkeel(
        "train", rows, *TINY, "--seeds", "2", "--max-steps", "12", "--suffix", "t"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in (
        r"seed 0: succeeded, step 12/12",
        r"seed 1: succeeded, step 12/12",
        r"2 of 2 succeeded",
        r"mean ± std",
    ):
        assert re.search(expected, done.stdout), done.stdout
    assert re.search(r"^Model: ft:tiny-bert:local:t:\w+$", done.stdout, re.MULTILINE), done.stdout
    return str(re.findall(r"ftjob-\w+", done.stdout)[0])


def job_of(stack: RunningStack, *train: str) -> str:
    done = stack.evenkeel("train", *train)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(re.findall(r"ftjob-\w+", done.stdout)[0])


def status(stack: RunningStack, job: str) -> str:
    return str(httpx.get(f"{stack.url}/v1/fine_tuning/jobs/{job}").json()["status"])


def steps(stack: RunningStack, job: str) -> int:
    return int(httpx.get(f"{stack.url}/v1/fine_tuning/jobs/{job}").json()["progress"]["steps_done"])


def await_training(stack: RunningStack, job: str) -> None:
    until(
        lambda: steps(stack, job) > 0, lambda: f"{status(stack, job)}\n{stack.text()}", seconds=120
    )


def test_it_says_where_it_is_ready(stack: RunningStack) -> None:
    assert f"Evenkeel is ready at {stack.url} (2 training slots" in stack.text()
    assert (stack.home / "url").read_text() == f"{stack.url}\n"
    assert set(stack.children()) == {"redis", "api", "worker", "sweeper"}


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
    assert trained in html.read_text()
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


def test_bad_input_is_one_sentence_and_exit_code_2(
    stack: RunningStack, rows: str, tmp_path: Path
) -> None:
    refused = stack.evenkeel("train", rows, "--model", "tiny-bert", "--reinit-layers", "99")
    assert (refused.returncode, refused.stderr.count("\n")) == (BAD_INPUT, 1), refused.stderr
    assert "recipe.reinit_layers" in refused.stderr
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


def test_a_cancelled_job_ends_what_follows_it_with_1(stack: RunningStack, rows: str) -> None:
    job = job_of(stack, rows, *TINY, "--seeds", "1", *ENDLESS)
    await_training(stack, job)
    assert stack.evenkeel("cancel", job).stdout == f"{job}: cancelled\n"
    assert stack.evenkeel("show", job, "--follow").returncode == JOB_DID_NOT_SUCCEED


def heed_ctrl_c() -> None:
    """What a shell starts in the background ignores it and so do its children, the tests among
    them if they were started that way.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_while_following_leaves_the_job_to_go_on(stack: RunningStack, rows: str) -> None:
    job = job_of(stack, rows, *TINY, "--seeds", "1", *ENDLESS)
    await_training(stack, job)
    follower = subprocess.Popen(
        build_module_command("cli", "show", job, "--follow"),
        env=environment(EVENKEEL_URL=stack.url),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    )
    assert follower.stdout is not None
    said = follower.stdout.readline()
    follower.send_signal(signal.SIGINT)
    said += follower.communicate(timeout=60)[0]
    assert follower.returncode == INTERRUPTED
    assert f"evenkeel show {job} --follow" in said
    assert f"evenkeel cancel {job}" in said
    assert status(stack, job) == "running"
    stack.evenkeel("cancel", job)


def test_a_terminal_shows_a_bar_a_run(stack: RunningStack, rows: str) -> None:
    said = in_terminal(
        "train", rows, *TINY, "--seeds", "2", "--max-steps", "12", EVENKEEL_URL=stack.url
    )
    for seed in (0, 1):
        assert re.search(rf"seed {seed} .*━+.* 12/12 .*succeeded .*loss \d", said), said
    assert "2 of 2 succeeded" in said


def in_terminal(*arguments: str, **settings: str) -> str:
    """What a command shows on a terminal, colours and cursor movements left out."""
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


def test_each_part_is_started_again_when_killed_and_the_job_goes_on(
    stack: RunningStack, rows: str
) -> None:
    job = job_of(stack, rows, *TINY, "--seeds", "2", "--max-steps", "400", "--detach")
    await_training(stack, job)
    before = stack.children()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    until(lambda: all(pid not in before.values() for pid in stack.children().values()), stack.text)
    until(lambda: len(stack.children()) == 4, stack.text)
    for part in before:
        assert f"{part} was killed by signal 9 (SIGKILL); restarting it" in stack.text()
    followed = stack.evenkeel("show", job, "--follow")
    assert followed.returncode == 0, followed.stdout + followed.stderr + stack.text()
    runs = httpx.get(f"{stack.url}/v1/fine_tuning/jobs/{job}/runs").json()["data"]
    for run in runs:
        series = httpx.get(
            f"{stack.url}/v1/fine_tuning/jobs/{job}/runs/{run['id']}/metrics?names=train_loss"
        ).json()
        assert [step for step, _ in series["series"][0]["points"]] == list(range(1, 401))


def test_ctrl_c_ends_every_process_in_time_even_while_training(
    tmp_path: Path, model_dir: Path, rows: str
) -> None:
    stack = RunningStack(tmp_path / "home", model_dir)
    job = job_of(stack, rows, *TINY, "--seeds", "2", *ENDLESS)
    await_training(stack, job)
    everyone = stack.everyone()
    assert len(everyone) >= 8  # four parts, two slots, two trainers
    began = time.monotonic()
    assert stack.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 10, "the deadline is part of what is promised"
    await_end(*everyone)
    assert not (tmp_path / "home" / "url").exists()


def test_after_a_kill_nothing_is_left_and_the_next_start_goes_on(
    tmp_path: Path, model_dir: Path, rows: str
) -> None:
    stack = RunningStack(tmp_path / "home", model_dir)
    job = job_of(stack, rows, *TINY, "--seeds", "3", "--max-steps", "150", "--detach")
    await_training(stack, job)
    everyone = stack.everyone()
    stack.process.kill()
    stack.process.wait()
    await_end(*everyone)
    again = RunningStack(
        tmp_path / "home", model_dir, EVENKEEL_REDIS_URL="redis://no.such.host.invalid/0"
    )
    try:
        assert (
            "EVENKEEL_REDIS_URL is set but ignored: `evenkeel up` keeps its state in"
            in again.text()
        )
        followed = again.evenkeel("show", job, "--follow")
        assert followed.returncode == 0, followed.stdout + followed.stderr + again.text()
        assert "3 of 3 succeeded" in followed.stdout
    finally:
        again.stop()


def test_compare(stack: RunningStack, trained: str, rows: str, tmp_path: Path) -> None:
    other = job_of(
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
    refused = stack.evenkeel("compare", other, "ftjob-none")
    assert (refused.returncode, "ftjob-none" in refused.stderr) == (BAD_INPUT, True), refused.stderr
