"""Responses about the queue and the workers."""

from cli.api_models.base import ApiModel


class TrainingRun(ApiModel):
    run_id: str
    job_id: str
    worker: str | None
    device: str | None
    step: int
    total_steps: int


class QueueWorker(ApiModel):
    name: str
    slots: int
    busy: int
    devices: list[str]
    last_beat: int


class Queue(ApiModel):
    depth: int
    paused: int
    running: list[TrainingRun]
    total_depth: int | None = None
    """Runs of all owners that wait; None for a key that may not know."""
    workers: list[QueueWorker] | None
    """None for a key that may not see them."""
