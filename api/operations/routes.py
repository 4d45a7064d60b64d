"""/v1/queue and /v1/usage: what waits, who works, and what has been done."""

import time
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from api.dependencies import ServicesDep
from api.errors import document_errors
from shared.db.queue import InTraining, paused_runs, runs_in_training, waiting_runs
from shared.db.tables import Worker
from shared.db.usage import files_stored, runs_ended
from shared.db.workers import Workers
from shared.domain.errors import InvalidValue
from shared.infra.broker import BrokerAway

router = APIRouter(prefix="/v1", tags=["operations"])
DEFAULT_PERIOD_S = 30 * 24 * 3600
UnixTimeQuery = Annotated[int | None, Query(ge=0, le=10_000_000_000, description="Unix seconds.")]


class TrainingRun(BaseModel):
    """A run in training."""

    run_id: str
    job_id: str
    worker: str | None
    device: str | None
    step: int
    total_steps: int


class WorkerObject(BaseModel):
    """A worker process and its slots."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    """Of its process."""
    host: str
    """Of its machine."""
    slots: int
    """Runs, or stacks of runs, that it trains at the same time."""
    busy: int
    """Slots of its machine that train."""
    devices: list[str]
    """Of its slots, in order."""
    started_at: int
    """Unix seconds."""
    last_beat: int
    """When it was last heard of, unix seconds."""


class Queue(BaseModel):
    """What waits, what trains, and who works."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["queue"] = "queue"
    depth: int
    """Runs that wait for a worker."""
    paused: int
    """Runs that wait for their job to be resumed, or for a decision on them."""
    running: list[TrainingRun]
    """Runs in training."""
    messages: int | None
    """In the broker; null while it does not answer, which delays what waits by seconds and
    loses nothing.
    """
    workers: list[WorkerObject]
    """Heard of in the last minute."""


class ModelUsage(BaseModel):
    """What was trained from one base model."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    model: str
    """The base model."""
    jobs: int
    """Whose runs these are."""
    runs: int
    """That ended in this stretch of time."""
    trained_tokens: int
    """By these runs."""
    seconds: float
    """Busy time of the workers' slots."""


class Usage(BaseModel):
    """What was trained in a stretch of time, and what is stored."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["usage"] = "usage"
    start_time: int
    """Begin of the stretch, unix seconds."""
    end_time: int
    """Its end, which does not belong to it."""
    runs: int
    """That ended in this stretch of time."""
    trained_tokens: int
    """By these runs."""
    seconds: float
    """Busy time of the workers' slots, over all runs that ended in this stretch of time."""
    data: list[ModelUsage]
    """The same by base model."""
    files: int
    """Stored now."""
    file_bytes: int
    """Stored now, result files included."""


@router.get("/queue", summary="Show the queue", responses=document_errors())
def queue(services: ServicesDep) -> Queue:
    """How much waits, what trains, and which workers there are."""
    with services.database.read() as session:
        depth, paused = waiting_runs(session), paused_runs(session)
        running, workers = runs_in_training(session), Workers(session).heard_of()
    try:
        messages: int | None = services.job_queue.depth()
    except BrokerAway:
        messages = None
    return Queue(
        depth=depth,
        paused=paused,
        running=[TrainingRun(**run._asdict()) for run in running],
        messages=messages,
        workers=[_build_worker_object(worker, running) for worker in workers],
    )


@router.get("/usage", summary="Sum up the usage", responses=document_errors(InvalidValue))
def usage(
    services: ServicesDep, start_time: UnixTimeQuery = None, end_time: UnixTimeQuery = None
) -> Usage:
    """What was trained between two times (unix seconds; the last thirty days if left out), and
    what is stored.
    """
    end = int(time.time()) + 1 if end_time is None else end_time
    start = max(0, end - DEFAULT_PERIOD_S) if start_time is None else start_time
    if start >= end:
        raise InvalidValue("start_time must lie before end_time.", param="start_time")
    with services.database.read() as session:
        by_model, stored = (
            runs_ended(session, services.owner_id, start, end),
            files_stored(session, services.owner_id),
        )
    data = [
        ModelUsage(**{**of_model._asdict(), "seconds": round(of_model.seconds, 3)})
        for of_model in by_model
    ]
    return Usage(
        start_time=start,
        end_time=end,
        runs=sum(of_model.runs for of_model in data),
        trained_tokens=sum(of_model.trained_tokens for of_model in data),
        seconds=round(sum(of_model.seconds for of_model in data), 3),
        data=data,
        files=stored.files,
        file_bytes=stored.bytes,
    )


def _build_worker_object(worker: Worker, running: Sequence[InTraining]) -> WorkerObject:
    slots = {run.worker for run in running if run.worker is not None}
    return WorkerObject(
        name=worker.name,
        host=worker.host,
        slots=worker.slots,
        busy=sum(slot.rpartition(":")[0] == worker.host for slot in slots),
        devices=list(worker.devices),
        started_at=int(worker.started_at),
        last_beat=int(worker.last_beat),
    )
