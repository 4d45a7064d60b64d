"""Claimed runs made ready to train on this machine, and what the trainer is to be told of them."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from obstore.exceptions import BaseError as StorageError

from shared.errors import ModelNotAllowed, ServiceError
from shared.states import Purpose
from worker.assignment import Assignment
from worker.outcomes import Failed, NotHere, Outcome, Stopped, StopReason, Unprepared
from worker.parts import WorkerParts

log = logging.getLogger(__name__)

SPARE_BYTES = 256 * 1024 * 1024  # beyond the copies of the weights that runs make
WEIGHT_COPIES = 3  # best weights in the scratch folder, in the storage, and the published model
STATE_COPIES = 8  # a state is weights, best weights and two moments, in the scratch folder and in the storage


@dataclass
class Prepared:
    wish: dict[str, Any] = field(default_factory=dict)
    ready: list[Assignment] = field(default_factory=list)
    """The runs that the wish is about."""
    others: list[tuple[Assignment, Outcome | Unprepared]] = field(default_factory=list)


def prepare(parts: WorkerParts, assignments: Sequence[Assignment]) -> Prepared:
    """Runs that are alike; as many as there is room for are made ready to be trained side by side."""
    try:
        return _prepared(parts, assignments)
    except ServiceError as error:
        return Prepared(others=[(assignment, Failed(error.as_reason())) for assignment in assignments])
    except NotHere as trouble:
        return Prepared(others=[(assignment, Unprepared(str(trouble))) for assignment in assignments])


def _prepared(parts: WorkerParts, assignments: Sequence[Assignment]) -> Prepared:
    """Raises NotHere, or ServiceError for good."""
    first = assignments[0]
    try:
        data = first.data(parts)
        if first.run.purpose == Purpose.BASELINES:
            return Prepared({"baselines": {"run_id": first.run.id, **data}}, [first])
        room = _room(parts.settings.resolved_cache_dir, Path(data["base_model"]), _copies(first))
        made = Prepared(others=[(assignment, Stopped(StopReason.NO_ROOM)) for assignment in assignments[room:]])
        specs = []
        for assignment in assignments[:room]:
            try:
                specs.append(data | assignment.own(parts))
                made.ready.append(assignment)
            except ServiceError as error:
                made.others.append((assignment, Failed(error.as_reason())))
    except ModelNotAllowed as error:
        raise NotHere(error.message) from error
    except (StorageError, OSError) as error:
        raise NotHere(
            f"Preparing the run failed ({type(error).__name__}); the worker's log has the details."
        ) from error
    made.wish = {"run": specs[0]} if len(specs) == 1 else {"stack": specs}
    return made


def _copies(assignment: Assignment) -> int:
    """Of the weights, that a run makes on this machine's disk."""
    keeps_state = assignment.run.stop_step is not None or assignment.run.state is not None
    return STATE_COPIES if keeps_state else WEIGHT_COPIES


def _room(folder: Path, base_model: Path, copies: int) -> int:
    """For how many runs there is free disk, at least one. Raises NotHere."""
    folder.mkdir(parents=True, exist_ok=True)
    a_run = copies * (base_model / "model.safetensors").stat().st_size
    free = shutil.disk_usage(folder).free
    if free < a_run + SPARE_BYTES:
        needed = (a_run + SPARE_BYTES) >> 20
        raise NotHere(f"A run needs {needed} MB of free disk for its weights, and there are {free >> 20} MB.")
    return (free - SPARE_BYTES) // max(a_run, 1)
