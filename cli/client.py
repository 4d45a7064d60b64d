"""A thin, typed client of the service.

Requests that may be sent again without harm are sent again, job creation included: it carries an Idempotency-Key.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx

from cli.api_models import (
    Batch,
    Classification,
    Comparison,
    DryRun,
    Event,
    EventList,
    File,
    Job,
    JobList,
    Model,
    Preview,
    Queue,
    Recipe,
    RecipeList,
    Run,
    RunList,
    RunMetrics,
    Series,
)
from cli.transport import Shape, Transport
from shared.report import StabilityReport

_CHUNK: Final = 1 << 20
_BATCH_TIMEOUT_S: Final = 600.0
_JOBS: Final = "/v1/fine_tuning/jobs"


class Client(Transport):
    """A method an operation."""

    def upload(self, path: Path) -> File:
        """Sent once only: a second sending would make a second file."""
        with path.open("rb") as stream:
            try:
                response = self._http.post(
                    "/v1/files", files={"file": (path.name, stream)}, data={"purpose": "fine-tune"}
                )
            except httpx.TransportError as error:
                raise self._unreachable(error) from error
        return self._shaped(File, self._checked(response))

    def file(self, file_id: str) -> File:
        return self._get(File, _file_path(file_id))

    def delete_file(self, file_id: str) -> None:
        self._send("DELETE", _file_path(file_id))

    def preview(self, file_id: str, **query: str | int) -> Preview:
        return self._get(Preview, f"{_file_path(file_id)}/preview?{urlencode(query)}")

    def create_job(self, body: dict[str, Any]) -> Job:
        return self._create(Job, _JOBS, body)

    def dry_run(self, body: dict[str, Any]) -> DryRun:
        return self._shaped(DryRun, self._send("POST", f"{_JOBS}?dry_run=true", json=body))

    def job(self, job_id: str) -> Job:
        return self._get(Job, _job_path(job_id))

    def jobs(self, limit: int, metadata: Mapping[str, str] | None = None) -> list[Job]:
        """The newest jobs, of those that carry all of the metadata."""
        wanted = {f"metadata[{key}]": value for key, value in (metadata or {}).items()}
        return self._get(JobList, f"{_JOBS}?{urlencode({'limit': limit, **wanted})}").data

    def extend(self, job_id: str, num_seeds: int) -> Job:
        return self._create(Job, f"{_job_path(job_id)}/extend", {"num_seeds": num_seeds})

    def clone(self, job_id: str, changes: dict[str, Any]) -> Job:
        return self._create(Job, f"{_job_path(job_id)}/clone", changes)

    def delete_job(self, job_id: str) -> None:
        self._send("DELETE", _job_path(job_id))

    def events(self, job_id: str, limit: int) -> list[Event]:
        """The latest, newest first."""
        return self._get(EventList, f"{_job_path(job_id)}/events?limit={limit}").data

    @contextmanager
    def event_stream(self, job_id: str, after: str | None = None) -> Iterator[Iterator[str]]:
        """The lines of the job's events as they come, from the one after ``after`` on. Raises httpx.TransportError when it breaks off."""
        headers = {} if after is None else {"last-event-id": after}
        with self._http.stream(
            "GET", f"{_job_path(job_id)}/events?stream=true", headers=headers
        ) as response:
            if response.is_error:
                response.read()
            yield self._checked(response).iter_lines()

    def runs(self, job_id: str, purpose: str = "main") -> list[Run]:
        return self._get(RunList, f"{_job_path(job_id)}/runs?purpose={purpose}").data

    def metrics(self, job_id: str, run_id: str, *names: str) -> list[Series]:
        path = f"{_job_path(job_id)}/runs/{quote(run_id, safe='')}/metrics?names={','.join(names)}"
        return self._get(RunMetrics, path).series

    def stability(self, job_id: str) -> StabilityReport:
        return self._get(StabilityReport, f"{_job_path(job_id)}/stability")

    def compare(
        self, job_ids: Sequence[str], metric: str | None = None, alpha: float = 0.05
    ) -> Comparison:
        body = {"job_ids": list(job_ids), "metric": metric, "alpha": alpha}
        return self._shaped(
            Comparison, self._send("POST", "/v1/fine_tuning/comparisons", json=body)
        )

    def cancel(self, job_id: str) -> Job:
        return self._move(job_id, "cancel")

    def pause(self, job_id: str) -> Job:
        return self._move(job_id, "pause")

    def resume(self, job_id: str) -> Job:
        return self._move(job_id, "resume")

    def retry(self, job_id: str, run_id: str) -> Run:
        return self._shaped(
            Run, self._send("POST", f"{_job_path(job_id)}/runs/{quote(run_id, safe='')}/retry")
        )

    def model(self, model_id: str) -> Model:
        return self._get(Model, f"/v1/models/{quote(model_id, safe=':/')}")

    def classify(self, body: dict[str, Any]) -> Classification:
        return self._shaped(Classification, self._send("POST", "/v1/classifications", json=body))

    def classify_file(self, body: dict[str, Any]) -> Batch:
        """The answer comes when every row has one."""
        return self._shaped(
            Batch,
            self._send("POST", "/v1/classifications/batches", json=body, timeout=_BATCH_TIMEOUT_S),
        )

    def recipes(self, model: str, train_rows: int) -> list[Recipe]:
        query = urlencode({"model": model, "train_rows": train_rows})
        return self._get(RecipeList, f"/v1/fine_tuning/recipes?{query}").data

    def queue(self) -> Queue:
        return self._get(Queue, "/v1/queue")

    @contextmanager
    def content(self, file_id: str) -> Iterator[Iterator[bytes]]:
        """A file's bytes, chunk by chunk."""
        try:
            with self._http.stream("GET", f"{_file_path(file_id)}/content") as response:
                if response.is_error:
                    response.read()
                yield self._checked(response).iter_bytes(_CHUNK)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _create(self, shape: type[Shape], path: str, body: dict[str, Any]) -> Shape:
        """Under a key of its own, so that however often it is sent it is done once."""
        headers = {"idempotency-key": str(uuid.uuid4())}
        return self._shaped(shape, self._send("POST", path, json=body, headers=headers))

    def _move(self, job_id: str, move: str) -> Job:
        return self._shaped(Job, self._send("POST", f"{_job_path(job_id)}/{move}"))


def _job_path(job_id: str) -> str:
    return f"{_JOBS}/{quote(job_id, safe='')}"


def _file_path(file_id: str) -> str:
    return f"/v1/files/{quote(file_id, safe='')}"
