"""Runs without the service: warm processes that call the training package directly."""

import multiprocessing
import os
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Self

from benchmarks.trainer_commands import SpecValues


class DirectRunner:
    """A pool of training processes; each takes the next run as soon as it is free."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        context = multiprocessing.get_context("spawn")
        pipes = [context.Pipe() for _ in range(processes)]
        self._connections = [own_end for own_end, _ in pipes]
        self._children = [
            context.Process(target=_run_child, args=(child_end,), daemon=True)
            for _, child_end in pipes
        ]

    def __enter__(self) -> Self:
        environment = dict(os.environ)
        # set before torch is imported, as the worker does for its trainers
        os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        try:
            for child in self._children:
                child.start()
        finally:
            os.environ.clear()
            os.environ.update(environment)
        for connection in self._connections:
            connection.recv()  # torch is imported
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

    def run(
        self, specs: Sequence[SpecValues], *, steps: int | None = None
    ) -> tuple[float, list[float]]:
        """Run all specs; returns the seconds until the last one ended, and those of each in the
        order in which they ended.

        A spec without a recipe scores a job's baselines. With ``steps``, each run stops after
        that many steps.
        """
        began = time.perf_counter()
        waiting, each = list(specs), []
        free = list(self._connections)
        busy: list[Connection] = []
        while waiting or busy:
            while waiting and free:
                busy.append(free.pop())
                busy[-1].send((waiting.pop(0), steps))
            answered = wait(busy)
            for connection in [connection for connection in busy if connection in answered]:
                each.append(connection.recv())
                busy.remove(connection)
                free.append(connection)
        return time.perf_counter() - began, each


def _run_child(connection: Connection) -> None:
    from benchmarks.direct_child import serve_runs  # imports torch, which only children need

    serve_runs(connection)
