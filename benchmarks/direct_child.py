"""The child processes of ``direct.DirectRunner``: they import torch and train."""

import os
import shutil
import time
from multiprocessing.connection import Connection

from benchmarks.trainer_commands import SpecValues
from shared.infra.child_process import exit_unless_child_of
from worker.trainer.service import NICENESS
from worker.training.baselines.scoring import score_baselines
from worker.training.data.tokenization import TextCache
from worker.training.run import train_run
from worker.training.spec import DataSpec, RunSpec


def serve_runs(connection: Connection) -> None:
    """Run the specs that the parent sends, and answer each with its seconds."""
    exit_unless_child_of(None)
    os.nice(NICENESS)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    cache = TextCache()
    connection.send("ready")
    while True:
        values, steps = connection.recv()
        began = time.perf_counter()
        if "recipe" in values:
            _train(values, steps, cache)
        else:
            list(score_baselines(DataSpec.model_validate(values), lambda: False, cache))
        connection.send(time.perf_counter() - began)


def _train(values: SpecValues, steps: int | None, cache: TextCache) -> None:
    spec = RunSpec.model_validate(values)
    spec.output.mkdir(parents=True, exist_ok=True)
    for event in train_run(spec, lambda: False, cache):
        if steps is not None and getattr(event, "step", 0) >= steps:
            break
    shutil.rmtree(spec.output)
