"""A complete service for a test: API, Celery worker and sweeper as real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from shared.db.consistency import find_problems
from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import Job
from shared.domain.states import ENDED_JOB_STATES, OPEN_JOB_STATES
from shared.infra.storage import Storage
from tests.servers import RedisServer, find_free_port, wait_until

EVENT_STREAMS = 3
FAST = {  # shorter timeouts, so that a lease expires within a test
    "EVENKEEL_HEARTBEAT_SECONDS": "0.5",
    "EVENKEEL_LEASE_SECONDS": "3",
    "EVENKEEL_REQUEUE_SECONDS": "3",
    "EVENKEEL_TICK_SECONDS": "0.5",
    "EVENKEEL_EVENT_STREAMS": str(EVENT_STREAMS),
    "EVENKEEL_WEBHOOK_PRIVATE_ADDRESSES": "1",  # the tests' webhook receivers run on this machine
    "EVENKEEL_THREADS": "1",  # more threads do not speed up the tiny encoders
}


class Stack:
    def __init__(
        self, home: Path, database_url: str, redis: RedisServer, models: Path, slots: int
    ) -> None:
        self.home = home
        self.database_url = database_url
        self.redis = redis
        self.port = find_free_port()
        self.environment = {
            **os.environ,
            **FAST,
            "EVENKEEL_HOME": str(home),
            "EVENKEEL_DATABASE_URL": database_url,
            "EVENKEEL_REDIS_URL": redis.url,
            "EVENKEEL_MODEL_DIRS": str(models),
            "EVENKEEL_PORT": str(self.port),
            "EVENKEEL_WORKER_SLOTS": str(slots),
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    # parts

    def start(self, *parts: str) -> None:
        for part in parts or ("api", "worker", "worker.maintenance.sweeper"):
            command = [sys.executable, "-m", part]
            with (self.home / f"{part}.log").open("ab") as log:
                self.processes[part] = subprocess.Popen(
                    command, env=self.environment, stdout=log, stderr=log
                )
        if "api" in (parts or ("api",)):
            wait_until(self._answers, description="the API")

    def kill(self, part: str) -> None:
        """Send kill -9; the kernel kills the process's children with it."""
        process = self.processes.pop(part)
        process.kill()
        process.wait()

    def terminate(self, part: str, number: int = signal.SIGTERM) -> int:
        process = self.processes.pop(part)
        process.send_signal(number)
        return process.wait(timeout=60)

    def trainers(self) -> list[psutil.Process]:
        """Return the trainer processes of the worker."""
        worker = self.processes.get("worker")
        if worker is None:
            return []
        below = psutil.Process(worker.pid).children(recursive=True)
        return [process for process in below if "worker.trainer" in _command(process)]

    def children(self) -> list[psutil.Process]:
        """Return the child processes of the Celery worker."""
        below = psutil.Process(self.processes["worker"].pid).children()
        return [process for process in below if "worker.trainer" not in _command(process)]

    def close(self) -> None:
        self.http.close()
        for part in list(self.processes):
            self.kill(part)

    def _answers(self) -> bool:
        try:
            return self.http.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    # requests of a user

    def upload(self, content: bytes, filename: str = "data.csv") -> dict[str, Any]:
        answer = self.http.post(
            "/v1/files", files={"file": (filename, content)}, data={"purpose": "fine-tune"}
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def create(self, file_id: str, **request: Any) -> dict[str, Any]:
        answer = self.http.post("/v1/fine_tuning/jobs", json={"training_file": file_id, **request})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def classify(self, **request: Any) -> dict[str, Any]:
        answer = self.http.post("/v1/classifications", json=request)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def job(self, job_id: str) -> dict[str, Any]:
        return self.get(f"/v1/fine_tuning/jobs/{job_id}")

    def runs(self, job_id: str) -> list[dict[str, Any]]:
        return list(self.get(f"/v1/fine_tuning/jobs/{job_id}/runs")["data"])

    def metrics(self, job_id: str, run_id: str) -> dict[str, list[list[float]]]:
        answer = self.get(f"/v1/fine_tuning/jobs/{job_id}/runs/{run_id}/metrics")
        return {series["name"]: series["points"] for series in answer["series"]}

    def wait(self, job_id: str, seconds: float = 120.0) -> dict[str, Any]:
        """Poll until the job has ended; on a timeout, fail with the ends of the logs."""
        deadline = time.monotonic() + seconds
        while (job := self.job(job_id))["status"] not in ENDED_JOB_STATES:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{job['status']} {job['runs_summary']} after {seconds} s\n{self.logs()}"
                )
            time.sleep(0.1)
        return job

    def wait_for_step(self, job_id: str, step: int, seconds: float = 60.0) -> dict[str, Any]:
        """Wait for a running run that has recorded this step, and return it."""
        found: list[dict[str, Any]] = []

        def seen() -> bool:
            found[:] = [
                run
                for run in self.runs(job_id)
                if run["status"] == "running" and run["step"] >= step
            ]
            return bool(found)

        wait_until(seen, seconds, f"step {step}")
        return found[0]

    def expect_storage_to_equal_rows(self) -> None:
        """Assert that every blob has a row and every row its blobs, once all jobs have ended.

        Blobs are deleted after the commit, so this waits. With open jobs nothing is asserted:
        a blob may be older than its row.
        """
        database = Database(self.database_url)
        storage = Storage((self.home / "storage").as_uri())
        try:
            with database.read() as session:
                if session.query(Job).where(Job.status.in_(OPEN_JOB_STATES)).count():
                    return
            wait_until(
                lambda: not find_problems(database, storage), 60, "storage and rows to be equal"
            )
        except TimeoutError:
            raise AssertionError(find_problems(database, storage)) from None
        finally:
            database.dispose()

    def logs(self) -> str:
        ends = [
            f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}"
            for path in sorted(self.home.glob("*.log"))
        ]
        return "\n".join(ends)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


@contextmanager
def running_stack(
    home: Path,
    database_url: str,
    redis: RedisServer,
    models: Path,
    slots: int = 2,
    **environment: str,
) -> Iterator[Stack]:
    home.mkdir(parents=True, exist_ok=True)
    apply_migrations(database_url)
    stack = Stack(home, database_url, redis, models, slots)
    stack.environment |= environment
    try:
        stack.start()
        yield stack
        stack.expect_storage_to_equal_rows()
    finally:
        stack.close()
