"""The process that trains, the only one with torch; ``__main__`` starts it.

It carries out the commands on its standard input (``worker.trainer.protocol``). A failed run does
not end the process: it keeps torch and the tokenized files in memory for the next run. It logs to
standard error, and the kernel kills it when its parent dies.
"""

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from shared.infra.child_process import exit_unless_child_of
from worker.trainer.commands import CommandReader, list_specs
from worker.trainer.protocol import (
    BaselinesCommand,
    RunMessage,
    StackCommand,
    TrainerReady,
    WorkCommand,
)
from worker.trainer.reporting import RunReporter, RunUpdate, SendMessage
from worker.training.data.tokenization import TextCache
from worker.training.malloc import release_freed_memory
from worker.training.memory_reservations import MemoryReservations
from worker.training.multi_seed.run import train_runs
from worker.training.run import describe_environment, train_run
from worker.training.spec import DataSpec, RunSpec

log = logging.getLogger("evenkeel.trainer")

NICENESS = 10  # on a machine that also runs the API, requests are answered first


class TrainerResources(NamedTuple):
    """What the commands of a process share."""

    cache: TextCache
    memory: MemoryReservations | None = None
    """None to start runs without looking at the free memory."""


def main() -> None:
    arguments = _parse_arguments()
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s trainer %(message)s",
    )
    exit_unless_child_of(arguments.parent)
    _configure_process()
    send_message = _open_private_output()
    commands = CommandReader(sys.stdin)
    commands.start_reading()
    send_message(TrainerReady(ready=describe_environment()))
    resources = TrainerResources(
        TextCache(),
        None if arguments.reservations is None else MemoryReservations(arguments.reservations),
    )
    for command in commands.iterate_commands(on_idle=release_freed_memory):
        serve_command(command, commands, send_message, resources)


def _configure_process() -> None:
    os.nice(NICENESS)
    # Ctrl-C reaches every process of the terminal; the parent decides what happens to this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # the tokenizers library reads this at each use; its threads would come on top of the run's
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def serve_command(
    command: WorkCommand,
    commands: CommandReader,
    send_message: SendMessage,
    resources: TrainerResources,
) -> None:
    """Carry out the runs of a command and report each of them up to its last message."""
    run_ids = [spec.run_id for spec in list_specs(command)]
    reporter = RunReporter(run_ids, commands, send_message)
    [kind] = type(command).model_fields  # run, stack or baselines
    log.info("%s started: %s", kind, ", ".join(run_ids))
    try:
        for run_id, update in _execute_command(
            command, reporter.is_stopped, commands.should_pause, resources
        ):
            reporter.report_update(run_id, update)
            if not reporter.open_run_ids:
                return
        raise RuntimeError("training ended without reporting an outcome")
    except BrokenPipeError:
        raise  # the parent has closed the pipe: there is nobody to report to
    except Exception as error:  # noqa: BLE001 (process boundary)
        for run_id in list(reporter.open_run_ids):
            reporter.report_update(run_id, error)
    finally:
        if resources.memory is not None:
            resources.memory.release()


def _execute_command(
    command: WorkCommand,
    is_stopped: Callable[[str], bool],
    should_pause: Callable[[str], bool],
    resources: TrainerResources,
) -> Iterator[tuple[str, RunUpdate]]:
    """Yield each run's events, with its id."""
    if isinstance(command, StackCommand):
        yield from _train_stack(command, is_stopped, resources)
        return
    [payload] = list_specs(command)
    run_id, spec = payload.run_id, payload.model_dump()
    should_stop = partial(is_stopped, run_id)
    events: Iterator[RunUpdate]
    if isinstance(command, BaselinesCommand):
        # imported here: scikit-learn would delay the start of every trainer by a second
        from worker.training.baselines.scoring import score_baselines

        events = score_baselines(DataSpec.model_validate(spec), should_stop, resources.cache)
    else:
        events = train_run(
            RunSpec.model_validate(spec),
            should_stop,
            resources.cache,
            partial(should_pause, run_id),
            resources.memory,
        )
    yield from ((run_id, event) for event in events)


def _train_stack(
    command: StackCommand, is_stopped: Callable[[str], bool], resources: TrainerResources
) -> Iterator[tuple[str, RunUpdate]]:
    runs = [RunSpec.model_validate(spec.model_dump()) for spec in command.stack]
    # on a GPU the memory decides how many are trained at a time; on a CPU stacks are only trained
    # on request, and then whole
    size = None if runs[0].device.startswith("cuda") else len(runs)
    yield from train_runs(
        runs, is_stopped, resources.cache, stack_size=size, memory=resources.memory
    )


def _open_private_output() -> SendMessage:
    """Return the function that writes to the parent's pipe.

    Standard output is redirected to standard error, so that a library's ``print`` cannot break the
    protocol.
    """
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def send_message(message: TrainerReady | RunMessage) -> None:
        # not model_dump_json: it writes NaN as null, where the run should fail
        content = message.model_dump(mode="json")
        pipe.write(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
        pipe.flush()

    return send_message


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m worker.trainer",
        description="Train the runs that arrive as JSON lines on standard input.",
    )
    parser.add_argument(
        "--parent", type=int, help="process id of the parent; exit if the parent is another process"
    )
    parser.add_argument(
        "--reservations",
        type=Path,
        help="folder in which the trainers of a machine reserve memory; without it, runs start "
        "however little is free",
    )
    return parser.parse_args()
