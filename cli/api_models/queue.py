"""What the service says of its workers."""

from cli.api_models.base import Read


class TrainingRun(Read):
    run_id: str
    job_id: str
    worker: str | None
    device: str | None
    step: int
    total_steps: int


class WorkerView(Read):
    name: str
    slots: int
    busy: int
    devices: list[str]
    last_beat: int


class Queue(Read):
    depth: int
    paused: int
    running: list[TrainingRun]
    workers: list[WorkerView]
