"""``evenkeel queue``: what waits, what trains, and where."""

import time

from rich.console import Group, RenderableType
from rich.table import Table

from cli.api_models import Queue
from cli.tables import format_count, format_duration


def format_queue(queue: Queue, now: float | None = None) -> RenderableType:
    """``now``: unix seconds, by which a worker's last beat was so long ago."""
    at = time.time() if now is None else now
    parts: list[RenderableType] = [
        (
            f"{format_count(len(queue.running), 'run')} in training, {queue.depth} waiting, "
            f"{queue.paused} paused"
        )
    ]
    if queue.running:
        runs = Table("job", "run", "step", "worker", "device", box=None)
        for run in queue.running:
            runs.add_row(
                run.job_id,
                run.run_id,
                f"{run.step}/{run.total_steps}",
                run.worker or "-",
                run.device or "-",
            )
        parts += ["", runs]
    if queue.workers:
        workers = Table("worker", "slots in use", "devices", "last heard of", box=None)
        for worker in queue.workers:
            ago = f"{format_duration(max(0.0, at - worker.last_beat))} ago"
            workers.add_row(
                worker.name, f"{worker.busy}/{worker.slots}", ", ".join(worker.devices), ago
            )
        parts += ["", workers]
    else:
        parts.append(
            "No worker has been heard of in the last minute: nothing will be trained until "
            "one is started."
        )
    return Group(*parts)
