"""Mechanisms of the product, each with a way to take it out: the campaign must notice.

A mutation is applied before the world is opened. ``kinds`` are the faults that need the mechanism,
so that the campaign finds it missing after few rounds, and ``check`` is what must find it: another
complaint, or an error on the way, does not count.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import update

from shared.db import jobs, references, runs
from shared.db.job_advances import JobAdvances
from shared.db.metrics import Metrics
from shared.db.recovery import RunRecovery
from shared.db.runs import Runs
from shared.db.tables import Job, Run
from shared.domain.states import OPEN_JOB_STATES, RunState
from shared.infra import storage
from shared.infra.storage import Storage
from tests.faults.simulation.campaign import Check
from tests.faults.simulation.kinds import KINDS


class Mutation(NamedTuple):
    remove: Callable[[pytest.MonkeyPatch], None]
    kinds: Sequence[str]
    check: Check
    within: int | None = None
    """The faults strike within so many moments; None for any moment of a round."""
    jobs: Sequence[str] = ("plain",)


def remove_fence(patch: pytest.MonkeyPatch) -> None:
    """Let any worker write to a run in training, whoever holds it."""

    def build_unfenced_update(_self: Runs, lease: Any, _move: Any = None) -> Any:
        return update(Run).where(Run.id == lease.run_id, Run.status == RunState.RUNNING)

    patch.setattr(Runs, "_build_fenced_update", build_unfenced_update)


def remove_job_fence(patch: pytest.MonkeyPatch) -> None:
    """Let any worker end an open job."""

    def finish_job(self: JobAdvances, job_id: str, _fence: int, status: str, **values: Any) -> None:
        self._session.execute(
            update(Job)
            .where(Job.id == job_id, Job.status.in_(OPEN_JOB_STATES))
            .values(status=status, lease_until=None, finished_at=1.0, **values)
        )

    patch.setattr(JobAdvances, "finish_job", finish_job)


def remove_lease_expiry(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RunRecovery, "release_expired_leases", lambda *_, **__: [])


def remove_outbox(patch: pytest.MonkeyPatch) -> None:
    """Commit without telling the queue; the sweeper would tell it later."""
    patch.setattr(jobs, "notify_after_commit", lambda *_: None)


def remove_repeated_notification(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RunRecovery, "list_ids_to_notify", lambda *_: [])


def remove_claim_guard(patch: pytest.MonkeyPatch) -> None:
    """Let a run be claimed that another worker trains."""
    states = Run.status.in_((RunState.QUEUED, RunState.RUNNING))
    patch.setattr(runs, "CLAIMABLE", (states, Run.cancel_requested.is_(False)))


def remove_rewind(patch: pytest.MonkeyPatch) -> None:
    """Keep the points of an earlier attempt, so that a point is stored twice."""
    patch.setattr(Metrics, "delete_points", lambda *_, **__: None)


def remove_atomic_fetch(patch: pytest.MonkeyPatch) -> None:
    """Write a local copy under its own name from the first byte."""

    def fetch(self: Storage, key: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        chunks = self.stream(key)
        with path.open("wb") as target:
            for chunk in chunks:
                target.write(chunk)
                target.flush()

    patch.setattr(Storage, "fetch", fetch)


def remove_references_of_open_runs(patch: pytest.MonkeyPatch) -> None:
    """Let the garbage collection see the artifacts of ended runs only."""
    patch.setattr(references, "OPEN_RUN_STATES", frozenset())


def remove_mount_check(patch: pytest.MonkeyPatch) -> None:
    """Use whatever folder is where the storage's was."""
    patch.setattr(Storage, "require_folder", lambda _: None)


def remove_refusal_of_nothing(patch: pytest.MonkeyPatch) -> None:
    """Take a folder that is gone for one without files."""

    def link_or_put_folder(self: Storage, prefix: str, folder: Path) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.link_or_put_file(f"{prefix}/{path.relative_to(folder).as_posix()}", path)

    patch.setattr(Storage, "link_or_put_folder", link_or_put_folder)


def remove_whole_copies(patch: pytest.MonkeyPatch) -> None:
    """Use a local folder whatever became of its first files while the last ones were fetched."""
    patch.setattr(storage, "_require_files", lambda _paths: None)


ALL_KINDS = tuple(KINDS)
MUTATIONS = {
    "fence": Mutation(remove_fence, ["freeze_worker_and_kill_the_next"], Check.STALE),
    "fence of the job": Mutation(remove_job_fence, ["freeze_worker"], Check.STALE),
    "lease": Mutation(remove_lease_expiry, ["kill_worker"], Check.LOST),
    "outbox": Mutation(remove_outbox, ALL_KINDS, Check.OUTBOX),
    "repeated notification": Mutation(remove_repeated_notification, ["lose_messages"], Check.LOST),
    "guard of the claim": Mutation(remove_claim_guard, ["double_messages"], Check.ATTEMPTS),
    "rewind before a retry": Mutation(remove_rewind, ["kill_trainer"], Check.LOST),
    "atomic fetch": Mutation(remove_atomic_fetch, ["kill_worker"], Check.DIFFERS, within=12),
    "references of open runs": Mutation(
        remove_references_of_open_runs, ["sweep_garbage"], Check.DIFFERS
    ),
    "check of the mount": Mutation(remove_mount_check, ["unmount_storage"], Check.DIFFERS),
    "refusal to store nothing": Mutation(
        remove_refusal_of_nothing, ["delete_cache"], Check.DIFFERS
    ),
    "whole copies": Mutation(remove_whole_copies, ["delete_cache"], Check.DIFFERS),
}
