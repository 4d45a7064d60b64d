"""Minimal rows of jobs and runs for database tests."""

from shared.db.jobs import Jobs
from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.domain import ids
from shared.domain.states import RunState


def job_values() -> dict[str, object]:
    empty: dict[str, object] = {
        name: {}
        for name in (
            "request",
            "task",
            "split",
            "resolved_recipe",
            "recipe_notes",
            "dataset",
            "baselines",
        )
    }
    plain = {
        "id": ids.make_job_id(),
        "owner_id": "local",
        "model": "m",
        "training_file": "f",
        "seed": 0,
        "metric": "accuracy",
    }
    return {**empty, **plain, "threads": 1, "warnings": [], "result_files": [], "status": "queued"}


def add_job(database: Database, runs: int = 2) -> Job:
    job = Job(**job_values())
    rows = [
        Run(
            id=ids.make_run_id(),
            job_id=job.id,
            owner_id="local",
            index=index,
            purpose="main",
            seed=index,
            init_seed=index,
            data_seed=index,
            status=RunState.QUEUED,
            total_steps=10,
            diagnosis=[],
        )
        for index in range(runs)
    ]
    with database.write() as session:
        Jobs(session).add(job, rows)
    return job
