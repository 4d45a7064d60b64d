"""``evenkeel up`` while its processes are killed, stopped and started again."""

import os
import signal
import time
from pathlib import Path

import httpx

from tests.cli.stack import ENDLESS, TINY, RunningStack, await_training, create_job
from tests.processes import await_end, until


def test_prints_and_stores_its_url_when_ready(stack: RunningStack) -> None:
    page, ready = (stack.text().index(text) for text in ("The page: ", "Evenkeel is ready at "))
    assert page < ready
    assert f"The page: {stack.url}/jobs" in stack.text()
    assert f"Evenkeel is ready at {stack.url} (2 training slots" in stack.text()
    assert (stack.home / "url").read_text() == f"{stack.url}\n"
    assert set(stack.children()) == {"redis", "api", "worker", "sweeper"}


def test_killed_processes_are_restarted_and_the_job_continues(
    stack: RunningStack, rows: str
) -> None:
    job = create_job(stack, rows, *TINY, "--seeds", "2", "--max-steps", "400", "--detach")
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


def test_ctrl_c_ends_every_process_in_time_while_training(
    tmp_path: Path, model_dir: Path, rows: str
) -> None:
    stack = RunningStack(tmp_path / "home", model_dir)
    job = create_job(stack, rows, *TINY, "--seeds", "2", *ENDLESS)
    await_training(stack, job)
    everyone = stack.everyone()
    assert len(everyone) >= 8  # four parts, two slots, two trainers
    began = time.monotonic()
    assert stack.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 10, "the deadline is part of what is promised"
    await_end(*everyone)
    assert not (tmp_path / "home" / "url").exists()


def test_a_kill_leaves_no_process_and_the_next_start_continues(
    tmp_path: Path, model_dir: Path, rows: str
) -> None:
    stack = RunningStack(tmp_path / "home", model_dir)
    job = create_job(stack, rows, *TINY, "--seeds", "3", "--max-steps", "150", "--detach")
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
