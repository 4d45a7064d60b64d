"""Response schemas of the queue and of usage."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class TrainingRun(BaseModel):
    """A run in training."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    run_id: str
    """ID of the run."""
    job_id: str
    """ID of its job."""
    worker: str | None
    """Worker slot that trains it."""
    device: str | None
    """Device that it trains on; null until training starts."""
    step: int
    """Optimizer steps done."""
    total_steps: int
    """Optimizer steps in total."""


class WorkerObject(BaseModel):
    """A worker process and its slots."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    """Name of the worker process."""
    host: str
    """Name of its machine."""
    slots: int
    """Runs, or stacks of runs, that it can train at the same time."""
    busy: int
    """Slots on its machine that are training a run."""
    devices: list[str]
    """Device of each slot."""
    started_at: int
    """Start of the process, Unix seconds."""
    last_beat: int
    """Time of the last heartbeat, Unix seconds."""


class Queue(BaseModel):
    """State of the queue and the workers."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["queue"] = "queue"
    """Kind of object."""
    depth: int
    """Runs that wait for a worker."""
    paused: int
    """Runs that wait for their job to be resumed, or for its early discard."""
    running: list[TrainingRun]
    """Runs in training."""
    messages: int | None
    """Messages in the job queue; null while it does not respond. Waiting runs then start a few
    seconds later, and none is lost."""
    workers: list[WorkerObject]
    """Workers that sent a heartbeat in the last minute."""


class ModelUsage(BaseModel):
    """Usage by one base model in a period."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    model: str
    """ID of the base model."""
    jobs: int
    """Jobs that the runs belong to."""
    runs: int
    """Runs that ended in the period."""
    trained_tokens: int
    """Tokens that these runs were trained on."""
    seconds: float
    """Time that worker slots spent on these runs, in seconds."""


class Usage(BaseModel):
    """Training in a period, and current storage."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["usage"] = "usage"
    """Kind of object."""
    start_time: int
    """Start of the period, Unix seconds."""
    end_time: int
    """End of the period (exclusive), Unix seconds."""
    runs: int
    """Runs that ended in the period."""
    trained_tokens: int
    """Tokens that these runs were trained on."""
    seconds: float
    """Time that worker slots spent on these runs, in seconds."""
    data: list[ModelUsage]
    """Usage by base model."""
    files: int
    """Files stored now."""
    file_bytes: int
    """Bytes of the files stored now, result files included."""
