"""A thin, typed client of the service; whatever goes wrong comes out as one sentence (``CliError``).

Requests that may be sent again without harm are sent again, job creation included: it carries an Idempotency-Key.
"""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from cli.errors import CliError
from cli.wire import Comparison, File, Job, JobList, Model, Run, RunList, RunMetrics, Series
from shared.report import StabilityReport
from shared.settings import LOOPBACK

_BUSY: Final = frozenset({429, 502, 503, 504})
_PAUSES: Final = (0.2, 0.5, 1.0, 2.0)  # seconds before each re-sending, unless the service asks for longer
_LONGEST_PAUSE: Final = 30.0
_CHUNK: Final = 1 << 20
Shape = TypeVar("Shape", bound=BaseModel)


class Client:
    """``patience``: for how many seconds a service that cannot be reached is waited for."""

    def __init__(self, url: str, api_key: str | None = None, *, patience: float = 0.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CliError(f"{url!r} is not the URL of a service; it looks like http://127.0.0.1:8000.")
        self.url = url.rstrip("/")
        self.patience = patience
        self._http = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(60.0, connect=5.0),
            trust_env=parts.hostname not in LOOPBACK,  # a proxy for the outside is not asked for this machine
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

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

    def create_job(self, body: dict[str, Any]) -> Job:
        headers = {"idempotency-key": str(uuid.uuid4())}
        return self._shaped(Job, self._send("POST", "/v1/fine_tuning/jobs", json=body, headers=headers))

    def job(self, job_id: str) -> Job:
        return self._get(Job, _job_path(job_id))

    def jobs(self, limit: int, metadata: Mapping[str, str] | None = None) -> list[Job]:
        """The newest jobs, of those that carry all of the metadata."""
        wanted = {f"metadata[{key}]": value for key, value in (metadata or {}).items()}
        return self._get(JobList, f"/v1/fine_tuning/jobs?{urlencode({'limit': limit, **wanted})}").data

    def extend(self, job_id: str, num_seeds: int) -> Job:
        headers = {"idempotency-key": str(uuid.uuid4())}
        return self._shaped(
            Job, self._send("POST", f"{_job_path(job_id)}/extend", json={"num_seeds": num_seeds}, headers=headers)
        )

    def runs(self, job_id: str, purpose: str = "main") -> list[Run]:
        return self._get(RunList, f"{_job_path(job_id)}/runs?purpose={purpose}").data

    def metrics(self, job_id: str, run_id: str, *names: str) -> list[Series]:
        path = f"{_job_path(job_id)}/runs/{quote(run_id, safe='')}/metrics?names={','.join(names)}"
        return self._get(RunMetrics, path).series

    def stability(self, job_id: str) -> StabilityReport:
        return self._get(StabilityReport, f"{_job_path(job_id)}/stability")

    def compare(self, job_ids: Sequence[str], metric: str | None = None, alpha: float = 0.05) -> Comparison:
        body = {"job_ids": list(job_ids), "metric": metric, "alpha": alpha}
        return self._shaped(Comparison, self._send("POST", "/v1/fine_tuning/comparisons", json=body))

    def cancel(self, job_id: str) -> Job:
        return self._shaped(Job, self._send("POST", f"{_job_path(job_id)}/cancel"))

    def model(self, model_id: str) -> Model:
        return self._get(Model, f"/v1/models/{quote(model_id, safe=':/')}")

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

    def _get(self, shape: type[Shape], path: str) -> Shape:
        return self._shaped(shape, self._send("GET", path))

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Send, and again while the service is busy, or cannot be reached and there is patience left."""
        give_up_at = time.monotonic() + self.patience
        pauses = iter(_PAUSES)
        while True:
            try:
                response = self._http.request(method, path, **content)
            except httpx.TransportError as error:
                if time.monotonic() >= give_up_at:
                    raise self._unreachable(error) from error
                time.sleep(_PAUSES[1])
                continue
            pause = next(pauses, None) if _may_be_sent_again(response) else None
            if pause is None:
                return self._checked(response)
            time.sleep(max(pause, _asked_pause(response)))

    def _checked(self, response: httpx.Response) -> httpx.Response:
        """The response, if it is the service's and no error; else its error as a sentence."""
        if response.is_success:
            return response
        try:
            error = response.json()["error"]
            message, param = str(error["message"]), error["param"]
        except (ValueError, KeyError, TypeError):
            raise self._stranger(f" (HTTP {response.status_code})") from None
        raise CliError(message if not param or param in message else f"{message} (param: {param})")

    def _shaped(self, shape: type[Shape], response: httpx.Response) -> Shape:
        try:
            return shape.model_validate_json(response.content)
        except ValidationError as error:
            raise self._stranger(f" ({error.errors()[0]['msg']} at {error.errors()[0]['loc']})") from error

    def _stranger(self, detail: str = "") -> CliError:
        return CliError(f"What answers at {self.url} is not an Evenkeel of this version{detail}; check --url.")

    def _unreachable(self, error: httpx.TransportError) -> CliError:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return CliError(f"No Evenkeel answers at {self.url}. Start one with: evenkeel up")
        return CliError(f"The connection to {self.url} broke off ({type(error).__name__}); try again.")


def _job_path(job_id: str) -> str:
    return f"/v1/fine_tuning/jobs/{quote(job_id, safe='')}"


def _file_path(file_id: str) -> str:
    return f"/v1/files/{quote(file_id, safe='')}"


def _may_be_sent_again(response: httpx.Response) -> bool:
    return response.status_code in _BUSY or response.headers.get("x-should-retry") == "true"


def _asked_pause(response: httpx.Response) -> float:
    try:
        return min(float(response.headers.get("retry-after", 0)), _LONGEST_PAUSE)
    except ValueError:  # it may be a date
        return _PAUSES[-1]
