"""What is read of a job to compare it with another one, and what it must not have twice."""

import hashlib
import re
from collections import Counter
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.metrics import Metrics
from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import Event, Job, Model, Run
from shared.domain.states import Purpose
from shared.infra.storage import Storage
from tests.faults.simulation.jobs import read_decisions

_SAID_ONCE = re.compile(r"finished: |was discarded|^Pilots chose|^Early discard at|has succeeded")
"""Of the events that tell of something that happens once in a job."""


def read_numbers(database: Database, storage: Storage, job_id: str) -> dict[str, Any]:
    """Return everything of a job that must not depend on faults."""
    with database.read() as session:
        job = session.get_one(Job, job_id)
        runs = list_all_runs(session, job_id)
        numbers: dict[str, Any] = {
            f"{run.purpose} {run.index}": (
                *(run.status, run.step, run.validation_score, run.weights_sha256),
                *(run.best_step, run.train_loss, bool(run.fine_tuned_model)),
                sorted(Metrics(session).list_points(run.id)),
            )
            for run in runs
        }
        prefixes = session.scalars(
            select(Model.prefix).where(Model.job_id == job_id).order_by(Model.id)
        ).all()
        numbers |= {"status": job.status, **read_decisions(job, runs)}
    return numbers | {"files": [_hash_files(storage, prefix) for prefix in prefixes]}


def list_doubled(database: Database, job_id: str) -> list[str]:
    """List what the job has twice: points, announced endings of runs, models of a run."""
    with database.read() as session:
        runs = list_all_runs(session, job_id)
        points = [
            (run.id, point.name, point.step)
            for run in runs
            for point in Metrics(session).list_points(run.id)
        ]
        models = session.scalars(select(Model.run_id).where(Model.job_id == job_id)).all()
        messages = session.scalars(select(Event.message).where(Event.job_id == job_id)).all()
    endings = [message for message in messages if _SAID_ONCE.search(message)]
    counted = [Counter[object](points), Counter[object](models), Counter[object](endings)]
    return [f"{one}" for counts in counted for one, count in counts.items() if count > 1]


def _hash_files(storage: Storage, prefix: str) -> dict[str, str]:
    """Return the digests of a model's files, but of what names its job."""
    return {
        name: hashlib.sha256(b"".join(storage.stream(blob.key))).hexdigest()
        for blob in storage.list(prefix)
        if (name := blob.key.removeprefix(f"{prefix}/")) != "evenkeel.json"
    }


def list_all_runs(session: Session, job_id: str) -> list[Run]:
    """List the runs of every purpose."""
    purposes = (Purpose.PILOT, Purpose.MAIN, Purpose.DISTILLATION)
    return [run for one in purposes for run in Runs(session).list_by_job(job_id, purpose=one)]
