"""Claimed runs made ready to train on this machine, and what the trainer is to be told of them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from obstore.exceptions import BaseError as StorageError

from shared.domain.errors import ModelNotAllowed, ServiceError
from shared.domain.states import Purpose
from worker.context import WorkerContext
from worker.runs.assignment import Assignment
from worker.runs.disk_space import count_fitting_runs
from worker.runs.outcomes import Failed, MachineUnfit, Outcome, Stopped, StopReason, Unprepared

log = logging.getLogger(__name__)


@dataclass
class Preparation:
    command: dict[str, Any] = field(default_factory=dict)
    ready: list[Assignment] = field(default_factory=list)
    """The runs that the wish is about."""
    outcomes: list[tuple[Assignment, Outcome | Unprepared]] = field(default_factory=list)


def prepare_runs(context: WorkerContext, assignments: Sequence[Assignment]) -> Preparation:
    """Runs that are alike; as many as there is room for are made ready to be trained side by
    side.
    """
    try:
        return _build_preparation(context, assignments)
    except ServiceError as error:
        return Preparation(
            outcomes=[(assignment, Failed(error.as_reason())) for assignment in assignments]
        )
    except MachineUnfit as trouble:
        return Preparation(
            outcomes=[(assignment, Unprepared(str(trouble))) for assignment in assignments]
        )


def _build_preparation(context: WorkerContext, assignments: Sequence[Assignment]) -> Preparation:
    """Raises NotHere, or ServiceError for good."""
    first = assignments[0]
    try:
        data = first.prepare_data_fields(context)
        if first.run.purpose == Purpose.BASELINES:
            return Preparation({"baselines": {"run_id": first.run.id, **data}}, [first])
        fit = count_fitting_runs(context, assignments, Path(data["base_model"]))
        made = Preparation(
            outcomes=[
                (assignment, Stopped(StopReason.NO_DISK_SPACE)) for assignment in assignments[fit:]
            ]
        )
        specs = []
        for assignment in assignments[:fit]:
            try:
                specs.append(data | assignment.prepare_run_fields(context))
                made.ready.append(assignment)
            except ServiceError as error:
                made.outcomes.append((assignment, Failed(error.as_reason())))
    except ModelNotAllowed as error:
        raise MachineUnfit(error.message) from error
    except (StorageError, OSError) as error:
        raise MachineUnfit(
            f"Preparing the run failed ({type(error).__name__}); the worker's log has the details."
        ) from error
    made.command = {"run": specs[0]} if len(specs) == 1 else {"stack": specs}
    return made
