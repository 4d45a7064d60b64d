"""The process supervisor with small real children; the parent is a separate process, so that the
signals are real.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.infra.child_process import build_module_environment
from tests.processes import alive, await_end, until

PREAMBLE = """
import asyncio, sys
from pathlib import Path
from cli.child_output import ChildOutput
from cli.processes import Program, Supervisor

SLEEP = "import os, time; print('pid', os.getpid()); time.sleep(600)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP

def program(name, source, **options):
    return Program(name=name, command=[sys.executable, "-u", "-c", source], **options)

def serve(*programs):
    async def main():
        output = ChildOutput([p.name for p in programs], stream=sys.stdout)
        say_ready = lambda: output.write_parent_line("all ready")
        return await Supervisor(programs, output, when_ready=say_ready).run()
    sys.exit(asyncio.run(main()))
"""


class Parent:
    """A supervisor in a process of its own, and what it printed."""

    def __init__(self, source: str, output: Path) -> None:
        self.output = output
        with output.open("w") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-c", PREAMBLE + source],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, **build_module_environment()},
            )

    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, pattern: str, *, count: int = 1) -> list[str]:
        """All matches, as soon as there are ``count``."""
        until(
            lambda: len(re.findall(pattern, self.text())) >= count,
            lambda: f"{pattern!r} not {count} times in:\n{self.text()}",
        )
        return re.findall(pattern, self.text())

    def pid_of(self, name: str, *, generation: int = 1) -> int:
        return int(self.wait_for(rf"{name} +\| pid (\d+)", count=generation)[-1])


Start = Callable[[str], Parent]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    parents: list[Parent] = []

    def start_parent(source: str) -> Parent:
        parents.append(Parent(source, tmp_path / f"output-{len(parents)}.txt"))
        return parents[-1]

    yield start_parent
    for parent in parents:
        parent.process.kill()
        parent.process.wait()


def test_lines_of_all_children_come_with_their_names_aligned(start: Start) -> None:
    parent = start(
        "serve(program('api', 'print(\"hello\\\\nthere\"); ' + SLEEP), program('sweeper', SLEEP))"
    )
    parent.wait_for("all ready")
    parent.pid_of("sweeper")
    parent.wait_for("api .*pid")
    assert "api      | hello\napi      | there\n" in parent.text()
    assert re.search(r"^sweeper  \| pid \d+$", parent.text(), re.MULTILINE)
    assert "evenkeel | all ready\n" in parent.text()


def test_a_child_that_dies_is_started_again_and_the_reason_is_said(start: Start) -> None:
    parent = start("serve(program('worker', SLEEP), program('api', SLEEP))")
    first, other = parent.pid_of("worker"), parent.pid_of("api")
    os.kill(first, signal.SIGKILL)
    second = parent.pid_of("worker", generation=2)
    assert second != first
    assert "worker was killed by signal 9 (SIGKILL); restarting it in 0.5 s" in parent.text()
    os.kill(second, signal.SIGTERM)
    parent.wait_for(re.escape("worker was killed by signal 15 (SIGTERM); restarting it in 1 s"))
    assert alive(other)


def test_what_a_dead_child_left_in_its_process_group_is_killed(start: Start) -> None:
    forks = (
        "import os, time\nif os.fork() == 0:\n    print('pid', os.getpid()); time.sleep(600)\n"
        "time.sleep(1); print('leader', os.getpid()); time.sleep(600)"
    )
    parent = start(f"serve(program('worker', {forks!r}))")
    grandchild = parent.pid_of("worker")
    leader = int(parent.wait_for(r"leader (\d+)")[0])
    os.kill(leader, signal.SIGKILL)
    await_end(grandchild)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_child_and_exits_with_0(start: Start, number: signal.Signals) -> None:
    parent = start("serve(program('api', SLEEP), program('worker', SLEEP))")
    pids = parent.pid_of("api"), parent.pid_of("worker")
    parent.wait_for("all ready")
    parent.process.send_signal(number)
    assert parent.process.wait(timeout=10) == 0
    assert not any(map(alive, pids))


def test_a_child_deaf_to_term_is_killed_in_time(start: Start) -> None:
    parent = start("serve(program('worker', DEAF, stop_seconds=1.0))")
    pid = parent.pid_of("worker")
    parent.process.send_signal(signal.SIGTERM)
    assert parent.process.wait(timeout=10) == 0
    assert not alive(pid)
    assert "worker did not stop within 1 s; killing it" in parent.text()


def test_a_second_signal_kills_at_once(start: Start) -> None:
    parent = start("serve(program('worker', DEAF, stop_seconds=600.0))")
    pid = parent.pid_of("worker")
    parent.process.send_signal(signal.SIGINT)
    parent.wait_for("stopping")
    parent.process.send_signal(signal.SIGINT)
    assert parent.process.wait(timeout=10) == 0
    assert not alive(pid)


def test_stages_stop_one_after_the_other(start: Start) -> None:
    tells = (
        "import signal, sys, time\n"
        "def end(*_):\n    time.sleep(0.3); print('bye'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
    )
    parent = start(
        f"TELLS = {tells!r} + SLEEP\nserve(program('redis', TELLS, stop_order=1), "
        "program('worker', TELLS))"
    )
    parent.pid_of("redis")
    parent.pid_of("worker")
    parent.process.send_signal(signal.SIGTERM)
    parent.process.wait(timeout=10)
    assert re.findall(r"(\w+) +\| bye", parent.text()) == ["worker", "redis"]


def test_no_child_outlives_a_killed_parent(start: Start) -> None:
    parent = start("serve(program('api', SLEEP), program('worker', DEAF))")
    pids = parent.pid_of("api"), parent.pid_of("worker")
    parent.process.kill()
    await_end(*pids)


def test_the_next_program_waits_until_the_one_before_is_ready(start: Start, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    parent = start(
        f"async def ready(): return Path({str(gate)!r}).exists()\n"
        "serve(program('redis', SLEEP, ready=ready), program('api', SLEEP))"
    )
    parent.pid_of("redis")
    time.sleep(0.5)
    assert "api" not in parent.text()
    gate.touch()
    parent.pid_of("api")
    parent.wait_for("all ready")


def test_a_program_that_never_starts_ends_everything_with_1(start: Start) -> None:
    parent = start(
        "async def never(): return False\n"
        "serve(program('worker', SLEEP), program('api', 'import sys; sys.exit(\"no such "
        "table\")', ready=never))"
    )
    worker = parent.pid_of("worker")
    assert parent.process.wait(timeout=30) == 1
    assert "api ended with code 1 while starting, 3 times; giving up" in parent.text()
    assert parent.text().count("no such table") == 3
    assert not alive(worker)


def test_a_program_without_a_question_that_exits_at_once_is_given_up_too(start: Start) -> None:
    parent = start("serve(program('worker', 'import sys; sys.exit(2)'))")
    assert parent.process.wait(timeout=30) == 1
    assert "worker ended with code 2 while starting, 3 times; giving up" in parent.text()


WORKS = """
import os, sys
from shared.infra.child_process import announce_start
print('pid', os.getpid())
if not os.path.exists({seen!r}):
    open({seen!r}, 'w').close()
    announce_start()
sys.exit(0)
"""


def test_a_program_that_worked_once_is_never_given_up(start: Start, tmp_path: Path) -> None:
    source = WORKS.format(seen=str(tmp_path / "seen"))
    parent = start(f"serve(program('worker', {source!r}))")
    parent.pid_of("worker", generation=5)
    assert parent.process.poll() is None
    for delay in ("0.5", "1", "2", "4"):
        assert f"worker ended with code 0; restarting it in {delay} s" in parent.text()


def test_a_program_is_not_taken_to_work_because_it_closed_its_descriptors(start: Start) -> None:
    parent = start("serve(program('worker', 'import os; os.closerange(3, 100); os._exit(3)'))")
    assert parent.process.wait(timeout=60) == 1
    assert "worker ended with code 3 while starting, 3 times; giving up" in parent.text()


def test_a_program_that_is_killed_again_and_again_is_never_given_up(start: Start) -> None:
    parent = start("serve(program('worker', SLEEP))")
    for generation in range(1, 4):
        os.kill(parent.pid_of("worker", generation=generation), signal.SIGKILL)
    parent.pid_of("worker", generation=4)
    assert parent.process.poll() is None


def test_a_program_that_is_not_there_is_said_in_one_line(start: Start) -> None:
    parent = start("serve(Program(name='redis', command=['/nowhere/redis-server']))")
    assert parent.process.wait(timeout=30) == 1
    assert parent.text() == (
        "evenkeel | redis cannot be started (/nowhere/redis-server: No such file "
        "or directory); giving up\n"
    )


def test_ctrl_c_in_a_terminal_reaches_the_parent_alone(start: Start) -> None:
    parent = start("serve(program('worker', SLEEP))")
    worker = parent.pid_of("worker")
    assert os.getsid(worker) == worker
    assert os.getpgid(worker) != os.getpgid(parent.process.pid)
