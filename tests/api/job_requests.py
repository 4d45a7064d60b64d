"""Requests for jobs whose actions are tested, and rows of a failed job."""

from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import update

from shared.db.job_advances import JobAdvances
from shared.db.session import Database
from shared.db.tables import Run
from shared.domain.errors import Reason
from shared.domain.states import JobState

JOBS = "/v1/fine_tuning/jobs"
REQUEST: dict[str, Any] = {
    "model": "tiny-bert",
    "seed": 7,
    "suffix": "first",
    "metadata": {"team": "films"},
    "hyperparameters": {"n_epochs": 2},
    "recipe": {"preset": "debiased", "class_weights": "balanced"},
    "runs": {"num_seeds": 2},
    "split": {"validation_fraction": 0.3},
}


def create_job(http: TestClient, file_id: str, **changes: Any) -> dict[str, Any]:
    answer = http.post(JOBS, json={"training_file": file_id, **REQUEST, **changes})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def list_runs(http: TestClient, job_id: str) -> list[dict[str, Any]]:
    return list(http.get(f"{JOBS}/{job_id}/runs").json()["data"])


def get_refusal(answer: Any) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


def fail_job(database: Database, job_id: str) -> None:
    with database.write() as session:
        error = Reason(code="diverged", message="It diverged.", param=None)
        values = {
            "status": "failed",
            "error": error,
            "finished_at": 2000.0,
            "attempt": 3,
            "deaths": 2,
        }
        session.execute(update(Run).where(Run.job_id == job_id).values(**values))
        fence = JobAdvances(session).claim_to_advance(job_id, 60.0)
        assert fence is not None
        JobAdvances(session).finish_job(job_id, fence, JobState.FAILED, error=error)
