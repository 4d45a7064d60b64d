"""The trainer process, ``python -m worker.trainer --parent PID``: torch lives here, apart from
the worker that supervises it.

It speaks in lines of JSON. On standard input come wishes, in order:
    {"run": RunSpec}        train this run after those before it
    {"stack": [RunSpec, …]} train these runs side by side; they differ in their seeds alone
    {"baselines": DataSpec} score a job's baselines, as a run of their own
    {"stop": run_id}        stop that run, or do not begin it
    {"wait": run_id}        end a run that is trained alone after its next step, with a state to go on from
    end of input            stop what goes on, and exit
On standard output go a line when it is ready, and what happens to each run:
    {"ready": {"torch": …, "transformers": …, "instruction_set": …}}
    {"run_id": …, "event": Event}
    {"run_id": …, "alive": true}        now and then, for a supervisor that takes silence for death
and as the last line on a run, which comes once and may come while others of its stack go on,
one of
    {"run_id": …, "event": {"type": "finished", …}}
    {"run_id": …, "event": {"type": "paused", …}}
    {"run_id": …, "event": {"type": "baselines", …}}
    {"run_id": …, "failed": {"code", "message", "param"}}
    {"run_id": …, "stopped": true}
A run's failure does not end the process: it stays warm, with torch imported and the last files
tokenised, for the next run. It logs to standard error, and dies with its parent.
"""

import argparse
import ctypes
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch
from pydantic import ValidationError

from shared.domain.errors import Reason, ServiceError
from worker.trainer.commands import CommandReader, TrainerCommand
from worker.training.baselines.scoring import score_baselines
from worker.training.data.tokenization import TextCache
from worker.training.errors import StopRequested
from worker.training.events import BaselinesScored, Finished, Paused, RunEvent
from worker.training.multi_seed.run import train_runs
from worker.training.run import describe_environment, train_run
from worker.training.spec import DataSpec, RunSpec

log = logging.getLogger("evenkeel.trainer")

PR_SET_PDEATHSIG = 1  # linux/prctl.h
NICENESS = 10  # on a machine that serves too, whoever polls has his answer first
ALIVE_INTERVAL_S = 10.0  # a long evaluation is not silence


def main() -> None:
    arguments = _parse_arguments()
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s trainer %(message)s",
    )
    die_with_parent(arguments.parent)
    os.nice(NICENESS)
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole terminal; the parent decides what it means for us
    os.environ["TOKENIZERS_PARALLELISM"] = (
        "false"  # read at each use; its threads would come on top of the run's own
    )
    say = _open_private_output()
    wishes = CommandReader(sys.stdin)
    wishes.start_reading()
    say({"ready": describe_environment()})
    cache = TextCache()
    for wish in wishes.iterate_commands():
        serve_command(wish, wishes, say, cache)


RunUpdate = RunEvent | BaselinesScored | StopRequested | Exception
SendMessage = Callable[[dict[str, Any]], None]


class RunReporter:
    """What is told of the runs of one wish, each until its last line."""

    def __init__(
        self, run_ids: Iterable[str], commands: CommandReader, send_message: SendMessage
    ) -> None:
        self.open_run_ids = dict.fromkeys(run_ids)
        """Runs whose last line is still to come."""
        self._unstarted_run_ids = dict.fromkeys(self.open_run_ids)
        self._commands = commands
        self._send_message = send_message
        self._last_sent_at = time.monotonic()

    def report_update(self, run_id: str, update: RunUpdate) -> None:
        if run_id not in self.open_run_ids:
            return
        self._unstarted_run_ids.pop(run_id, None)
        if isinstance(update, Exception | Finished | Paused | BaselinesScored):
            del self.open_run_ids[run_id]
            log.info("%s ends: %s", run_id, type(update).__name__)
        if isinstance(update, Exception) and not isinstance(update, StopRequested):
            log.error("run %s failed", run_id, exc_info=update)
        self._send_message({"run_id": run_id} | _to_message(update))

    def is_stopped(self, run_id: str) -> bool:
        """Asked between batches; says now and then that a run is alive, also while no event is
        to be told.
        """
        now = time.monotonic()
        if now - self._last_sent_at >= ALIVE_INTERVAL_S:
            self._last_sent_at = now
            self._send_message({"run_id": run_id, "alive": True})
        for waiting in [
            other for other in self._unstarted_run_ids if self._commands.is_stopped(other)
        ]:
            self.report_update(waiting, StopRequested(waiting))  # its turn may come in hours
        return self._commands.is_stopped(run_id)


def serve_command(
    command: TrainerCommand, commands: CommandReader, send_message: SendMessage, cache: TextCache
) -> None:
    """Carry runs out and say how each went; every end of them but the process's own is a line."""
    telling = RunReporter(command.run_ids, commands, send_message)
    log.info("%s begins: %s", command.kind, ", ".join(command.run_ids))
    try:
        for run_id, told in _execute_command(
            command, telling.is_stopped, commands.should_pause, cache
        ):
            telling.report_update(run_id, told)
            if not telling.open_run_ids:
                return
        raise RuntimeError("training came to its end without a word on how")
    except BrokenPipeError:
        raise  # nobody listens any more
    except Exception as problem:  # noqa: BLE001 (process boundary)
        for run_id in list(telling.open_run_ids):
            telling.report_update(run_id, problem)


def _to_message(update: RunUpdate) -> dict[str, Any]:
    if isinstance(update, StopRequested):
        return {"stopped": True}
    if isinstance(update, Exception):
        return {"failed": to_reason(update)}
    return {"event": update.model_dump(mode="json")}


def _execute_command(
    command: TrainerCommand,
    is_stopped: Callable[[str], bool],
    should_pause: Callable[[str], bool],
    cache: TextCache,
) -> Iterator[tuple[str, RunUpdate]]:
    """What happens to which run."""
    if command.kind == "stack":
        runs = [RunSpec.model_validate(spec) for spec in command.specs]
        # a GPU's memory decides how many fit; to a CPU nobody gives a stack who has not asked
        # for one
        width = None if runs[0].device.startswith("cuda") else len(runs)
        yield from train_runs(runs, is_stopped, cache, stack_size=width)
        return
    [spec], [run_id] = command.specs, command.run_ids
    should_stop = partial(is_stopped, run_id)
    if command.kind == "baselines":
        events: Iterator[RunEvent | BaselinesScored] = score_baselines(
            DataSpec.model_validate(spec), should_stop, cache
        )
    else:
        events = train_run(
            RunSpec.model_validate(spec), should_stop, cache, partial(should_pause, run_id)
        )
    for event in events:
        yield run_id, event


def to_reason(problem: Exception) -> Reason:
    """Why a run failed, in the form that is stored with it."""
    if isinstance(problem, ServiceError):
        return problem.as_reason()
    if isinstance(problem, ValidationError):
        fields = ", ".join(
            ".".join(str(part) for part in error["loc"]) for error in problem.errors()
        )
        return Reason(
            code="internal_error",
            message=f"The run's specification does not fit this worker's version: {fields}.",
            param=None,
        )
    if _is_out_of_memory(problem):
        message = (
            "The memory does not suffice for this run. Try a smaller "
            "recipe.train_batch_size or task.max_seq_length."
        )
        return Reason(code="out_of_memory", message=message, param="recipe.train_batch_size")
    return Reason(
        code="internal_error", message=f"{type(problem).__name__}: {problem}"[:1000], param=None
    )


def _is_out_of_memory(problem: Exception) -> bool:
    """On a CPU torch raises a plain RuntimeError, known by its words alone."""
    return isinstance(
        problem, MemoryError | torch.OutOfMemoryError
    ) or "can't allocate memory" in str(problem)


def die_with_parent(parent: int | None) -> None:
    """Have the kernel kill this process when the thread that started it ends; exit if the
    parent is gone already.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if (
        parent is not None and os.getppid() != parent
    ):  # it ended before the line above; whoever adopted us is not it
        sys.exit("the process that this trainer belongs to has ended")


def _open_private_output() -> Callable[[dict[str, Any]], None]:
    """Keep the parent's pipe to ourselves and point standard output at standard error: no
    library's print can break the protocol.
    """
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def send_message(message: dict[str, Any]) -> None:
        pipe.write(json.dumps(message, ensure_ascii=False, allow_nan=False) + "\n")
        pipe.flush()

    return send_message


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m worker.trainer", description="Trains runs; see the module's own text."
    )
    parser.add_argument(
        "--parent", type=int, help="process id of the supervisor; exit where that is not the parent"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
