"""A typed client of the service's API.

Requests that are safe to repeat are retried. Job creation is one of them, because it carries an
Idempotency-Key.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal
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
    FileList,
    Job,
    JobList,
    Model,
    ModelList,
    Preview,
    Profile,
    Queue,
    Recipe,
    RecipeList,
    Run,
    RunList,
    RunMetrics,
    Series,
    StorageUsage,
)
from cli.transport import ResponseModel
from cli.upload_client import UploadClient
from shared.report import StabilityReport
from shared.timings import CLIENT_TIMEOUT_S

_CHUNK_BYTES: Final = 1 << 20
_JOBS_PATH: Final = "/v1/fine_tuning/jobs"


class Client(UploadClient):
    """One method per operation of the API."""

    def upload_file(self, path: Path) -> File:
        """Upload a file, without retries: a second request would create a second file."""
        with path.open("rb") as stream:
            try:
                response = self._http.post(
                    "/v1/files", files={"file": (path.name, stream)}, data={"purpose": "fine-tune"}
                )
            except httpx.RequestError as error:
                raise self._build_unreachable_error(error) from error
        return self._parse_response(File, self._check_response(response))

    def get_file(self, file_id: str) -> File:
        return self._fetch_model(File, _build_file_path(file_id))

    def list_file_page(self, limit: int, after: str | None = None) -> FileList:
        """List a page of files, newest first, from the one that follows ``after``."""
        query = {"limit": limit} | ({} if after is None else {"after": after})
        return self._fetch_model(FileList, f"/v1/files?{urlencode(query)}")

    def delete_file(self, file_id: str) -> None:
        self._delete(_build_file_path(file_id))

    def validate_file(self, file_id: str, task: dict[str, Any]) -> Profile:
        """Read the file's profile under this task."""
        return self._parse_response(
            Profile,
            self._send_request(
                "POST", f"{_build_file_path(file_id)}/validate", json={"task": task}
            ),
        )

    def preview_file(self, file_id: str, **query: str | int) -> Preview:
        return self._fetch_model(Preview, f"{_build_file_path(file_id)}/preview?{urlencode(query)}")

    def create_job(self, body: dict[str, Any]) -> Job:
        return self._post_idempotent(Job, _JOBS_PATH, body)

    def plan_job(self, body: dict[str, Any]) -> DryRun:
        return self._parse_response(
            DryRun, self._send_request("POST", f"{_JOBS_PATH}?dry_run=true", json=body)
        )

    def get_job(self, job_id: str) -> Job:
        return self._fetch_model(Job, _build_job_path(job_id))

    def list_jobs(self, limit: int, metadata: Mapping[str, str] | None = None) -> list[Job]:
        """List the newest jobs that have all of the given metadata."""
        wanted = {f"metadata[{key}]": value for key, value in (metadata or {}).items()}
        return self.list_job_page(limit, **wanted).data

    def list_job_page(self, limit: int, after: str | None = None, **filters: str) -> JobList:
        """List a page of jobs, newest first, from the one that follows ``after``."""
        query = {"limit": limit, **filters} | ({} if after is None else {"after": after})
        return self._fetch_model(JobList, f"{_JOBS_PATH}?{urlencode(query)}")

    def extend_job(self, job_id: str, num_seeds: int) -> Job:
        return self._post_idempotent(
            Job, f"{_build_job_path(job_id)}/extend", {"num_seeds": num_seeds}
        )

    def clone_job(self, job_id: str, changes: dict[str, Any]) -> Job:
        return self._post_idempotent(Job, f"{_build_job_path(job_id)}/clone", changes)

    def delete_job(self, job_id: str) -> None:
        self._delete(_build_job_path(job_id))

    def list_events(self, job_id: str, limit: int) -> list[Event]:
        """List the latest events, newest first."""
        return self._fetch_model(EventList, f"{_build_job_path(job_id)}/events?limit={limit}").data

    @contextmanager
    def stream_event_lines(self, job_id: str, after: str | None = None) -> Iterator[Iterator[str]]:
        """Stream the lines of the job's events, starting after event ``after``.

        Raises httpx.TransportError if the connection breaks.
        """
        headers = {} if after is None else {"last-event-id": after}
        with self._http.stream(
            "GET", f"{_build_job_path(job_id)}/events?stream=true", headers=headers
        ) as response:
            if not response.is_success:
                response.read()
            yield self._check_response(response).iter_lines()

    def list_runs(self, job_id: str, purpose: str = "main") -> list[Run]:
        return self._fetch_model(RunList, f"{_build_job_path(job_id)}/runs?purpose={purpose}").data

    def get_run_log(self, job_id: str, run_id: str) -> str:
        """Return the log of the run's latest attempt; empty until the attempt has ended."""
        path = f"{_build_job_path(job_id)}/runs/{quote(run_id, safe='')}/logs"
        response = self._send_request("GET", path)
        if not response.headers.get("content-type", "").startswith("text/plain"):
            raise self._build_mismatch_error()
        return response.content.decode("utf-8", "replace")

    def list_run_metrics(self, job_id: str, run_id: str, *names: str) -> list[Series]:
        query = f"names={','.join(names)}"
        path = f"{_build_job_path(job_id)}/runs/{quote(run_id, safe='')}/metrics?{query}"
        return self._fetch_model(RunMetrics, path).series

    def get_stability_report(self, job_id: str) -> StabilityReport:
        return self._fetch_model(StabilityReport, f"{_build_job_path(job_id)}/stability")

    def download_report(self, job_id: str, file_format: Literal["html", "png", "csv"]) -> bytes:
        """Return the report as a file; drawing may take a minute on a busy machine."""
        return self._download(f"{_build_job_path(job_id)}/stability.{file_format}")

    def download_comparison(self, comparison_id: str, file_format: Literal["html", "png"]) -> bytes:
        """Return the comparison and the reports of its jobs as a file."""
        path = f"/v1/fine_tuning/comparisons/{quote(comparison_id, safe='')}"
        return self._download(f"{path}/report.{file_format}")

    def compare_jobs(
        self, job_ids: Sequence[str], metric: str | None = None, alpha: float = 0.05
    ) -> Comparison:
        body = {"job_ids": list(job_ids), "metric": metric, "alpha": alpha}
        return self._parse_response(
            Comparison, self._send_request("POST", "/v1/fine_tuning/comparisons", json=body)
        )

    def cancel_job(self, job_id: str) -> Job:
        return self._post_action(job_id, "cancel")

    def pause_job(self, job_id: str) -> Job:
        return self._post_action(job_id, "pause")

    def resume_job(self, job_id: str) -> Job:
        return self._post_action(job_id, "resume")

    def retry_run(self, job_id: str, run_id: str) -> Run:
        return self._parse_response(
            Run,
            self._send_request(
                "POST", f"{_build_job_path(job_id)}/runs/{quote(run_id, safe='')}/retry"
            ),
        )

    def get_model(self, model_id: str) -> Model:
        return self._fetch_model(Model, f"/v1/models/{quote(model_id, safe=':/')}")

    def list_models(self) -> list[Model]:
        """List fine-tuned models, newest first, then the base models."""
        return self._fetch_model(ModelList, "/v1/models").data

    def classify_texts(self, body: dict[str, Any]) -> Classification:
        return self._parse_response(
            Classification, self._send_request("POST", "/v1/classifications", json=body)
        )

    def classify_file(self, body: dict[str, Any]) -> Batch:
        """Classify every row of an uploaded file; return when all rows are done."""
        return self._parse_response(
            Batch,
            self._send_request(
                "POST", "/v1/classifications/batches", json=body, timeout=CLIENT_TIMEOUT_S
            ),
        )

    def list_recipes(
        self, model: str, train_rows: int, revision: str | None = None
    ) -> list[Recipe]:
        asked = {"model": model, "train_rows": train_rows, "model_revision": revision}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return self._fetch_model(RecipeList, f"/v1/fine_tuning/recipes?{query}").data

    def get_queue(self) -> Queue:
        return self._fetch_model(Queue, "/v1/queue")

    def get_storage_usage(self, limit: int) -> StorageUsage:
        return self._fetch_model(StorageUsage, f"/v1/usage/storage?limit={limit}")

    @contextmanager
    def stream_file_content(self, file_id: str) -> Iterator[Iterator[bytes]]:
        """Stream a file's bytes in chunks."""
        try:
            with self._http.stream("GET", f"{_build_file_path(file_id)}/content") as response:
                if not response.is_success:
                    response.read()
                self._check_response(response)
                if response.headers.get("content-type", "").startswith("text/html"):
                    raise self._build_mismatch_error()  # the service never names a type of text
                yield response.iter_bytes(_CHUNK_BYTES)
        except httpx.RequestError as error:
            raise self._build_unreachable_error(error) from error

    def _download(self, path: str) -> bytes:
        return self._send_request("GET", path, timeout=CLIENT_TIMEOUT_S).content

    def _post_idempotent(
        self, model_type: type[ResponseModel], path: str, body: dict[str, Any]
    ) -> ResponseModel:
        """Send a request with a new Idempotency-Key, so that retries take effect once."""
        headers = {"idempotency-key": str(uuid.uuid4())}
        return self._parse_response(
            model_type, self._send_request("POST", path, json=body, headers=headers)
        )

    def _post_action(self, job_id: str, action: str) -> Job:
        return self._parse_response(
            Job, self._send_request("POST", f"{_build_job_path(job_id)}/{action}")
        )


def _build_job_path(job_id: str) -> str:
    return f"{_JOBS_PATH}/{quote(job_id, safe='')}"


def _build_file_path(file_id: str) -> str:
    return f"/v1/files/{quote(file_id, safe='')}"
