"""``evenkeel queue``: the waiting and running runs, and the workers."""

import time
from collections.abc import Sequence

from rich.console import Group, RenderableType

from cli.api_models import Queue, QueueWorker, TrainingRun
from cli.rows import Column, Kind, RowTable
from cli.tables import format_duration
from cli.times import format_time
from shared.domain.wording import format_count


def format_queue(queue: Queue, now: float | None = None) -> RenderableType:
    """Format the queue; the workers' heartbeats are relative to ``now`` (unix seconds)."""
    training = format_count(len(queue.running), "run")
    parts: list[RenderableType] = [
        f"{training} in training, {_format_waiting(queue)}, {queue.paused} paused"
    ]
    if queue.running:
        parts += ["", _build_runs_table(queue.running)]
    if queue.workers:
        at = time.time() if now is None else now
        parts += ["", _build_workers_table(queue.workers, at)]
    elif queue.workers is not None:
        parts.append(
            "No worker has reported in the last minute. Start one to train the waiting runs."
        )
    return Group(*parts)


def _format_waiting(queue: Queue) -> str:
    """Format the waiting runs, with those of all owners if others wait too."""
    if queue.total_depth is None or queue.total_depth == queue.depth:
        return f"{queue.depth} waiting"
    return f"{queue.depth} waiting (of all owners: {queue.total_depth})"


def _build_runs_table(runs: Sequence[TrainingRun]) -> RowTable:
    table = RowTable(Column("run", Kind.ID), Column("job", Kind.ID), "step", "worker", "device")
    for run in runs:
        step = f"{run.step}/{run.total_steps}"
        table.add_row(run.run_id, run.job_id, step, run.worker or "-", run.device or "-")
    return table


def _build_workers_table(workers: Sequence[QueueWorker], now: float) -> RowTable:
    table = RowTable(Column("worker", Kind.ID), "slots in use", "devices", "last heartbeat")
    for worker in workers:
        slots, devices = f"{worker.busy}/{worker.slots}", ", ".join(worker.devices)
        ago = format_duration(max(0.0, now - worker.last_beat))
        beat = f"{format_time(worker.last_beat, with_seconds=True)} ({ago} ago)"
        table.add_row(worker.name, slots, devices, beat)
    return table
