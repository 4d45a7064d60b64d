"""Preparation of claimed runs on this machine, up to the command for the trainer."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.domain.errors import ModelNotAllowed, ServiceError
from shared.domain.states import Purpose
from worker.context import WorkerContext
from worker.runs.assignment import Assignment
from worker.runs.base_model import (
    DownloadStopped,
    find_base_model_folder,
    require_pinned_model,
)
from worker.runs.disk_space import count_fitting_runs
from worker.runs.outcomes import (
    Failed,
    MachineUnfit,
    Outcome,
    Stopped,
    StopReason,
    describe_outage,
)
from worker.trainer.protocol import (
    BaselinesCommand,
    RunCommand,
    SpecPayload,
    StackCommand,
    WorkCommand,
)

log = logging.getLogger(__name__)


@dataclass
class Preparation:
    """The command for the runs that are ready, and the outcomes of those that are not."""

    command: WorkCommand | None = None
    """None if no run is ready."""
    ready: list[Assignment] = field(default_factory=list)
    """The runs of the command, in its order."""
    outcomes: list[tuple[Assignment, Outcome]] = field(default_factory=list)


def prepare_runs(context: WorkerContext, assignments: Sequence[Assignment]) -> Preparation:
    """Prepare as many of the runs as fit on the disk, to be trained together.

    The runs differ in their seeds only.
    """
    try:
        return _build_preparation(context, assignments)
    except DownloadStopped as stopped:
        return Preparation(
            outcomes=[
                (assignment, Stopped(stopped.reasons[assignment.run.id]))
                for assignment in assignments
            ]
        )
    except ServiceError as error:
        return Preparation(
            outcomes=[(assignment, Failed(error.to_reason())) for assignment in assignments]
        )
    except MachineUnfit as error:
        return Preparation(
            outcomes=[(assignment, error.to_outcome()) for assignment in assignments]
        )


def _build_preparation(context: WorkerContext, assignments: Sequence[Assignment]) -> Preparation:
    """Prepare the runs.

    Raises MachineUnfit if another machine or a later attempt may succeed, otherwise ServiceError.
    """
    first = assignments[0]
    try:
        folder = find_base_model_folder(context, assignments)
        sha256 = require_pinned_model(context, first.job, folder)
        data = first.prepare_data_fields(context, folder, sha256)
        if first.run.purpose == Purpose.BASELINES:
            spec = SpecPayload(run_id=first.run.id, **data)
            return Preparation(BaselinesCommand(baselines=spec), [first])
        return _prepare_fitting_runs(context, assignments, data)
    except ModelNotAllowed as error:
        raise MachineUnfit(error.message, is_outage=error.has_no_room) from error
    except OSError as error:
        log.warning("preparation_failed job=%s error=%s", first.job.id, error)
        raise describe_outage(error, "The run could not be prepared") from error


def _prepare_fitting_runs(
    context: WorkerContext, assignments: Sequence[Assignment], data: dict[str, Any]
) -> Preparation:
    """Prepare the runs that fit on the disk; ``data`` has the fields that all runs share."""
    fitting = count_fitting_runs(context, assignments, Path(data["base_model"]))
    preparation = Preparation(
        outcomes=[
            (assignment, Stopped(StopReason.NO_DISK_SPACE)) for assignment in assignments[fitting:]
        ]
    )
    specs = []
    for assignment in assignments[:fitting]:
        try:
            specs.append(SpecPayload(**data, **assignment.prepare_run_fields(context)))
            preparation.ready.append(assignment)
        except ServiceError as error:
            preparation.outcomes.append((assignment, Failed(error.to_reason())))
    preparation.command = _build_command(specs)
    return preparation


def _build_command(specs: list[SpecPayload]) -> WorkCommand | None:
    if not specs:
        return None
    return RunCommand(run=specs[0]) if len(specs) == 1 else StackCommand(stack=specs)
