"""Claimed runs made ready to train on this machine, and what the trainer is to be told of them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from obstore.exceptions import BaseError as StorageError

from shared.domain.errors import ModelNotAllowed, ServiceError
from shared.domain.states import Purpose
from worker.context import WorkerParts
from worker.runs.assignment import Assignment
from worker.runs.disk_space import room
from worker.runs.outcomes import Failed, NotHere, Outcome, Stopped, StopReason, Unprepared

log = logging.getLogger(__name__)


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
        return Prepared(
            others=[(assignment, Failed(error.as_reason())) for assignment in assignments]
        )
    except NotHere as trouble:
        return Prepared(
            others=[(assignment, Unprepared(str(trouble))) for assignment in assignments]
        )


def _prepared(parts: WorkerParts, assignments: Sequence[Assignment]) -> Prepared:
    """Raises NotHere, or ServiceError for good."""
    first = assignments[0]
    try:
        data = first.data(parts)
        if first.run.purpose == Purpose.BASELINES:
            return Prepared({"baselines": {"run_id": first.run.id, **data}}, [first])
        fit = room(parts, assignments, Path(data["base_model"]))
        made = Prepared(
            others=[(assignment, Stopped(StopReason.NO_ROOM)) for assignment in assignments[fit:]]
        )
        specs = []
        for assignment in assignments[:fit]:
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
