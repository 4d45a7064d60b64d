"""Jobs as training leaves them: the points of their curves, predictions, and models."""

import json
from typing import Any

from shared.db.metrics import Metrics, Point
from shared.db.session import Database
from shared.db.tables import Job, Model, Run
from shared.infra.storage import Storage
from shared.infra.storage_keys import build_predictions_key
from tests.api.scored_jobs import HIGH, add_job

StoredRow = tuple[int, Any, Any, list[float]]
"""Row, label, predicted label, probabilities."""


def add_curves(database: Database, job_id: str, steps: int = 10) -> None:
    """Give every run of a job that has ended the points of a training of this length."""
    with database.write() as session:
        metric = session.get_one(Job, job_id).metric
        for run in session.query(Run).filter_by(job_id=job_id, status="succeeded"):
            run.step = run.total_steps = steps
            shift = run.index / 10
            points = [
                point
                for step in range(1, steps + 1)
                for point in (
                    Point("train_loss", step, 2 / step + shift),
                    Point("grad_norm", step, 5 / step + shift),
                    Point("learning_rate", step, 1e-5 * (1 - step / steps)),
                )
            ]
            points += [
                Point("valid_loss", steps, 0.5 + shift),
                Point(f"valid_{metric}", steps, 0.7 + shift / 10),
            ]
            Metrics(session).insert_points(run.id, points)


def store_predictions(
    storage: Storage, database: Database, job_id: str, *by_run: list[StoredRow]
) -> list[str]:
    """Store what the runs predict for the validation rows; return the IDs of the runs."""
    with database.read() as session:
        runs = session.query(Run).filter_by(job_id=job_id).order_by(Run.index).all()
    for run, rows in zip(runs, by_run, strict=True):
        names = ("row", "label", "predicted", "probabilities")
        stored = [{"split": "validation", **dict(zip(names, row, strict=True))} for row in rows]
        storage.put_bytes(build_predictions_key(run.id), json.dumps({"rows": stored}).encode())
    return [run.id for run in runs]


def add_model_job(database: Database, **values: Any) -> str:
    """Add a job that keeps the models of all its runs, and has published the first."""
    job_id = add_job(database, HIGH, model="tiny-bert", **values)
    with database.write() as session:
        job = session.get_one(Job, job_id)
        job.fine_tuned_model = f"ft:tiny-bert:local::{job_id[-8:]}"
        for run in session.query(Run).filter_by(job_id=job_id):
            session.add(
                Model(
                    id=job.fine_tuned_model + (f":seed-{run.seed}" if run.index else ""),
                    owner_id="local",
                    job_id=job_id,
                    run_id=run.id,
                    base_model="tiny-bert",
                    prefix=f"models/{job_id}-{run.index}",
                    labels=["a", "b"],
                )
            )
    return job_id
