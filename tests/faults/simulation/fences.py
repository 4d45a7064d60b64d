"""A watch on every write that a fence guards: which stale ones were refused, which were not."""

from dataclasses import dataclass
from typing import Any

import pytest

from shared.db.job_advances import JobAdvances
from shared.db.runs import FenceLost, Runs
from shared.db.tables import Job, Run


@dataclass
class FenceCounts:
    accepted: int = 0
    """Writes of a worker that no longer had the run or the job: there must be none."""
    refused: int = 0


def watch_fences(patch: pytest.MonkeyPatch, counts: FenceCounts) -> None:
    """Count stale writes by the fence that the row has before each of them."""
    for name in ("record_progress", "finish_run", "pause_run", "requeue_run"):
        _watch(patch, counts, Runs, name)
    for name in ("finish_job", "advance_to_stage"):
        _watch(patch, counts, JobAdvances, name)


def _watch(patch: pytest.MonkeyPatch, counts: FenceCounts, queries: type, name: str) -> None:
    write = getattr(queries, name)

    def watched(self: Any, *arguments: Any, **values: Any) -> Any:
        if queries is Runs:
            run_id, fence = arguments[0]
            current = self._session.query(Run.fence).where(Run.id == run_id).scalar()
        else:
            job_id, fence = arguments[:2]
            current = self._session.query(Job.fence).where(Job.id == job_id).scalar()
        try:
            result = write(self, *arguments, **values)
        except FenceLost:
            counts.refused += 1
            raise
        counts.accepted += current != fence
        return result

    patch.setattr(queries, name, watched)
