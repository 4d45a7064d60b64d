"""``evenkeel queue``: the waiting and running runs, and the workers."""

import time
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from cli.api_models import Queue, QueueWorker, TrainingRun
from cli.tables import format_count, format_duration


def format_queue(queue: Queue, now: float | None = None) -> RenderableType:
    """Format the queue; the workers' heartbeats are relative to ``now`` (unix seconds)."""
    training = format_count(len(queue.running), "run")
    parts: list[RenderableType] = [
        f"{training} in training, {queue.depth} waiting, {queue.paused} paused"
    ]
    if queue.running:
        parts += ["", _build_runs_table(queue.running)]
    if queue.workers:
        at = time.time() if now is None else now
        parts += ["", _build_workers_table(queue.workers, at)]
    else:
        parts.append(
            "No worker has reported in the last minute. Start one to train the waiting runs."
        )
    return Group(*parts)


def _build_runs_table(runs: Sequence[TrainingRun]) -> Table:
    table = Table("job", "run", "step", "worker", "device", box=None)
    for run in runs:
        step = f"{run.step}/{run.total_steps}"
        table.add_row(run.job_id, run.run_id, step, run.worker or "-", run.device or "-")
    return table


def _build_workers_table(workers: Sequence[QueueWorker], now: float) -> Table:
    table = Table("worker", "slots in use", "devices", "last heartbeat", box=None)
    for worker in workers:
        slots, devices = f"{worker.busy}/{worker.slots}", ", ".join(worker.devices)
        ago = f"{format_duration(max(0.0, now - worker.last_beat))} ago"
        table.add_row(worker.name, slots, devices, ago)
    return table
