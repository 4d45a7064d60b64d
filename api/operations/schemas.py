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
    """Your runs that wait for a worker."""
    paused: int
    """Your runs that wait for their job to be resumed, or for its early discard."""
    running: list[TrainingRun]
    """Your runs in training."""
    total_depth: int | None = None
    """Runs of all owners that wait for a worker; null unless the key has the scope `admin`."""
    messages: int | None = None
    """Messages in the job queue; null while it does not respond, and unless the key has the scope
    `admin`. Without the job queue, waiting runs start a few seconds later, and none is lost."""
    workers: list[WorkerObject] | None = None
    """Workers that sent a heartbeat in the last minute; null unless the key has the scope
    `admin`."""


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


class StoredItem(BaseModel):
    """Something that takes room in the storage."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    kind: Literal["model", "file", "upload", "runs"]
    """`model`: a published or kept model; `file`: an uploaded or result file; `upload`: the parts
    of a pending upload; `runs`: what the runs of a job have besides their models."""
    id: str
    """ID of the model, file or upload; of the job for `runs`."""
    job_id: str | None
    """Job of a model or of runs; null for files."""
    name: str | None
    """Name of a file; null for the others."""
    bytes: int
    """Size in bytes. No byte counts twice: `model.zip` is made of its model's folder, and files
    with equal content are stored once."""


class StorageUsage(BaseModel):
    """What takes the room in the storage now."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["usage.storage"] = "usage.storage"
    """Kind of object."""
    bytes: int
    """Sum over all items, those beyond the limit included."""
    items: int
    """Number of all items."""
    data: list[StoredItem]
    """The largest items, the largest first."""
