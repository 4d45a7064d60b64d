"""What a worker's child works with."""

import os
import socket
from dataclasses import dataclass

from shared.db.session import Database
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from worker.trainer.process import Trainer

# the small batches of so many seeds fill a large card; what its memory takes, the trainer sees
GPU_STACK_SIZE = 20


@dataclass(frozen=True)
class WorkerContext:
    settings: Settings
    database: Database
    storage: Storage
    trainer: Trainer
    slot: int = 0
    """Which of the worker's children this is, from 0; on a machine with GPUs it decides which
    one is used.
    """

    @property
    def name(self) -> str:
        """This child, as it is shown in a run's ``worker``."""
        return f"{socket.gethostname()}:{os.getpid()}"

    @property
    def device(self) -> str:
        """The device of this slot's trainer."""
        if self.settings.gpus == 0:
            return "cpu"
        return f"cuda:{self.slot % self.settings.gpus}"

    @property
    def stack_size(self) -> int:
        """Up to how many runs of one job this slot trains side by side."""
        if self.settings.stack == "auto":
            return 1 if self.device == "cpu" else GPU_STACK_SIZE
        return self.settings.stack
