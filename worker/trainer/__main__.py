"""The trainer process, ``python -m worker.trainer --parent PID``: torch lives here, apart from the worker that supervises it.

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
and as the last line on a run, which comes once and may come while others of its stack go on, one of
    {"run_id": …, "event": {"type": "finished", …}}
    {"run_id": …, "event": {"type": "paused", …}}
    {"run_id": …, "event": {"type": "baselines", …}}
    {"run_id": …, "failed": {"code", "message", "param"}}
    {"run_id": …, "stopped": true}
A run's failure does not end the process: it stays warm, with torch imported and the last files tokenised, for the next run. It logs
to standard error, and dies with its parent.
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
from worker.trainer.commands import Wish, Wishes
from worker.training.baselines.scoring import score_baselines
from worker.training.data.tokenization import TextCache
from worker.training.errors import Stopped
from worker.training.events import BaselinesScored, Event, Finished, Paused
from worker.training.multi_seed.run import train_runs
from worker.training.run import environment, train_run
from worker.training.spec import DataSpec, RunSpec

log = logging.getLogger("evenkeel.trainer")

PR_SET_PDEATHSIG = 1  # linux/prctl.h
NICENESS = 10  # on a machine that serves too, whoever polls has his answer first
ALIVE_S = 10.0  # a long evaluation is not silence


def main() -> None:
    arguments = _arguments()
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
    say = _private_output()
    wishes = Wishes(sys.stdin)
    wishes.start()
    say({"ready": environment()})
    cache = TextCache()
    for wish in wishes.runs():
        serve(wish, wishes, say, cache)


Told = Event | BaselinesScored | Stopped | Exception
Say = Callable[[dict[str, Any]], None]


class Telling:
    """What is told of the runs of one wish, each until its last line."""

    def __init__(self, run_ids: Iterable[str], wishes: Wishes, say: Say) -> None:
        self.open = dict.fromkeys(run_ids)
        """Runs whose last line is still to come."""
        self._waiting = dict.fromkeys(self.open)
        self._wishes = wishes
        self._say = say
        self._said = time.monotonic()

    def tell(self, run_id: str, told: Told) -> None:
        if run_id not in self.open:
            return
        self._waiting.pop(run_id, None)
        if isinstance(told, Exception | Finished | Paused | BaselinesScored):
            del self.open[run_id]
            log.info("%s ends: %s", run_id, type(told).__name__)
        if isinstance(told, Exception) and not isinstance(told, Stopped):
            log.error("run %s failed", run_id, exc_info=told)
        self._say({"run_id": run_id} | _in_words(told))

    def stopped(self, run_id: str) -> bool:
        """Asked between batches; says now and then that a run is alive, also while no event is to be told."""
        now = time.monotonic()
        if now - self._said >= ALIVE_S:
            self._said = now
            self._say({"run_id": run_id, "alive": True})
        for waiting in [other for other in self._waiting if self._wishes.stopped(other)]:
            self.tell(waiting, Stopped(waiting))  # its turn may come in hours
        return self._wishes.stopped(run_id)


def serve(wish: Wish, wishes: Wishes, say: Say, cache: TextCache) -> None:
    """Carry runs out and say how each went; every end of them but the process's own is a line."""
    telling = Telling(wish.run_ids, wishes, say)
    log.info("%s begins: %s", wish.kind, ", ".join(wish.run_ids))
    try:
        for run_id, told in _carried_out(wish, telling.stopped, wishes.should_wait, cache):
            telling.tell(run_id, told)
            if not telling.open:
                return
        raise RuntimeError("training came to its end without a word on how")
    except BrokenPipeError:
        raise  # nobody listens any more
    except Exception as problem:  # noqa: BLE001 (process boundary)
        for run_id in list(telling.open):
            telling.tell(run_id, problem)


def _in_words(told: Told) -> dict[str, Any]:
    if isinstance(told, Stopped):
        return {"stopped": True}
    if isinstance(told, Exception):
        return {"failed": reason_of(told)}
    return {"event": told.model_dump(mode="json")}


def _carried_out(
    wish: Wish, stopped: Callable[[str], bool], should_wait: Callable[[str], bool], cache: TextCache
) -> Iterator[tuple[str, Told]]:
    """What happens to which run."""
    if wish.kind == "stack":
        runs = [RunSpec.model_validate(spec) for spec in wish.specs]
        # a GPU's memory decides how many fit; to a CPU nobody gives a stack who has not asked for one
        width = None if runs[0].device.startswith("cuda") else len(runs)
        yield from train_runs(runs, stopped, cache, width=width)
        return
    [spec], [run_id] = wish.specs, wish.run_ids
    should_stop = partial(stopped, run_id)
    if wish.kind == "baselines":
        events: Iterator[Event | BaselinesScored] = score_baselines(
            DataSpec.model_validate(spec), should_stop, cache
        )
    else:
        events = train_run(
            RunSpec.model_validate(spec), should_stop, cache, partial(should_wait, run_id)
        )
    for event in events:
        yield run_id, event


def reason_of(problem: Exception) -> Reason:
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
        message = "The memory does not suffice for this run. Try a smaller recipe.train_batch_size or task.max_seq_length."
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
    """Have the kernel kill this process when the thread that started it ends; exit if the parent is gone already."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if (
        parent is not None and os.getppid() != parent
    ):  # it ended before the line above; whoever adopted us is not it
        sys.exit("the process that this trainer belongs to has ended")


def _private_output() -> Callable[[dict[str, Any]], None]:
    """Keep the parent's pipe to ourselves and point standard output at standard error: no library's print can break the protocol."""
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(line: dict[str, Any]) -> None:
        pipe.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        pipe.flush()

    return say


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m worker.trainer", description="Trains runs; see the module's own text."
    )
    parser.add_argument(
        "--parent", type=int, help="process id of the supervisor; exit where that is not the parent"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
