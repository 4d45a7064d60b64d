"""The settings and connections that one worker child (slot) works with."""

import os
import socket
from dataclasses import dataclass

from shared.db.session import Database
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from worker.trainer.process import Trainer

# small batches of this many seeds fill a large GPU; the trainer trains fewer at a time when
# memory is short
GPU_STACK_SIZE = 20


@dataclass(frozen=True)
class WorkerContext:
    settings: Settings
    database: Database
    storage: Storage
    trainer: Trainer
    slot: int = 0
    """Index of this child in the worker's pool, from 0; it selects the GPU."""

    @property
    def name(self) -> str:
        """This child's name, shown in a run's ``worker`` field."""
        return f"{socket.gethostname()}:{os.getpid()}"

    @property
    def device(self) -> str:
        """Device that this slot's trainer uses: ``cpu`` or ``cuda:<n>``."""
        if self.settings.gpus == 0:
            return "cpu"
        return f"cuda:{self.slot % self.settings.gpus}"

    @property
    def stack_size(self) -> int:
        """Maximum number of runs of one job that this slot trains together."""
        if self.settings.stack == "auto":
            return 1 if self.device == "cpu" else GPU_STACK_SIZE
        return self.settings.stack
