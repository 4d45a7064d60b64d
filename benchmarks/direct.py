"""Runs without the service: warm processes that call the training package, one run after the
other.
"""

import multiprocessing
import os
import shutil
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self

Specs = Sequence[dict[str, Any]]


class DirectRunner:
    """So many processes, each with its share of the runs."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        context = multiprocessing.get_context("spawn")
        pipes = [context.Pipe() for _ in range(processes)]
        self._connections = [mine for mine, _ in pipes]
        self._children = [
            context.Process(target=_serve_runs, args=(theirs,), daemon=True) for _, theirs in pipes
        ]

    def __enter__(self) -> Self:
        environment = dict(os.environ)
        # as the supervisor of a trainer sets them, before torch is imported
        os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        try:
            for child in self._children:
                child.start()
        finally:
            os.environ.clear()
            os.environ.update(environment)
        for end in self._connections:
            end.recv()  # torch is imported
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in self._children:
            child.kill()
            child.join()

    def run(self, specs: Specs, *, steps: int | None = None) -> tuple[float, list[float]]:
        """Seconds until all have ended, and those of each in the order of their ends; the next
        run goes to the next free process.

        A spec without a recipe is of a job's baselines. ``steps``: only so many of each run.
        """
        began = time.perf_counter()
        waiting, each = list(specs), []
        free = list(self._connections)
        busy: list[Connection] = []
        while waiting or busy:
            while waiting and free:
                end = free.pop()
                end.send((waiting.pop(0), steps))
                busy.append(end)
            answered = wait(busy)
            for end in [end for end in busy if end in answered]:
                each.append(end.recv())
                busy.remove(end)
                free.append(end)
        return time.perf_counter() - began, each


def _serve_runs(connection: Connection) -> None:
    from worker.trainer.__main__ import NICENESS, die_with_parent
    from worker.training.baselines.scoring import score_baselines
    from worker.training.data.tokenization import TextCache
    from worker.training.run import train_run
    from worker.training.spec import DataSpec, RunSpec

    die_with_parent(None)
    os.nice(NICENESS)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    cache = TextCache()
    connection.send("ready")
    while True:
        values, steps = connection.recv()
        began = time.perf_counter()
        if "recipe" in values:
            spec = RunSpec.model_validate(values)
            spec.output.mkdir(parents=True, exist_ok=True)
            for event in train_run(spec, lambda: False, cache):
                if steps is not None and getattr(event, "step", 0) >= steps:
                    break
            shutil.rmtree(spec.output)
        else:
            list(score_baselines(DataSpec.model_validate(values), lambda: False, cache))
        connection.send(time.perf_counter() - began)
