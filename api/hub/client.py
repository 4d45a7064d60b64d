"""HTTP client of the hub: requests the description of a data set, and downloads files."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import httpx
from pydantic import BaseModel, Field, ValidationError

from api.hub.reference import HubReference
from shared.domain.errors import DatasetNotFound, DatasetTooLarge, HubNotAllowed, HubNotReachable
from shared.infra.hub_hosts import is_allowed_host, list_allowed_hosts
from shared.infra.settings import Settings

MAX_INFO_BYTES = 16 * 1024 * 1024
MAX_REDIRECTS = 5
READ_TIMEOUT_S = 20.0  # without a byte
_NOT_FOUND_MESSAGES = {
    "RevisionNotFound": "The data set has no such revision; check the part after @.",
    "GatedRepo": "The data set is gated; set EVENKEEL_HUB_TOKEN to a token with access to it.",
    "EntryNotFound": "The hub lists a file that it cannot find; try another revision.",
}
"""Messages by the hub's ``x-error-code``."""
_NOT_FOUND_MESSAGE = (
    "The hub has no such data set, or this service has no access to it; check the name and "
    "EVENKEEL_HUB_TOKEN."
)


class Lfs(BaseModel):
    sha256: str


class HubFile(BaseModel):
    path: str = Field(alias="rfilename")
    size: int | None = None
    lfs: Lfs | None = None


class DatasetInfo(BaseModel):
    """The parts of the hub's description of a data set that are needed here."""

    commit: Annotated[str, Field(alias="sha", pattern=r"^[0-9a-f]{40}$")]
    files: list[HubFile] = Field(alias="siblings")
    card: dict[str, object] | None = Field(None, alias="cardData")


class HubClient:
    """A connection for one data set, limited to ``hub_seconds`` in total.

    Errors name ``param`` as the field at fault.
    """

    def __init__(self, settings: Settings, param: str) -> None:
        self._endpoint = httpx.URL(settings.hub_endpoint.rstrip("/"))
        self._allowed_hosts = list_allowed_hosts(self._endpoint.host, settings.hub_hosts)
        self._token = settings.hub_token
        self._timeout_s = settings.hub_seconds
        self._deadline = time.monotonic() + settings.hub_seconds
        self._param = param
        timeout = min(READ_TIMEOUT_S, settings.hub_seconds)
        self._http = httpx.Client(timeout=timeout, headers={"accept-encoding": "identity"})

    def close(self) -> None:
        self._http.close()

    def get_dataset_info(self, reference: HubReference) -> DatasetInfo:
        """Return the commit that the revision names now, its files and its card.

        Raises DatasetNotFound, DatasetTooLarge, HubNotReachable, HubNotAllowed.
        """
        revision = (
            "" if reference.revision is None else f"/revision/{quote(reference.revision, safe='')}"
        )
        content = self._read_info(f"/api/datasets/{reference.repository}{revision}?blobs=true")
        try:
            return DatasetInfo.model_validate_json(content)
        except ValidationError:
            raise self._build_unreachable_error(
                "its response is not a description of a data set"
            ) from None

    def _read_info(self, path: str) -> bytes:
        content = bytearray()
        with self._stream_body(path) as chunks:
            for chunk in chunks:
                content += chunk
                if len(content) > MAX_INFO_BYTES:
                    raise DatasetTooLarge(
                        "The data set has too many files to be listed; upload the split as a file "
                        "instead.",
                        param=self._param,
                    )
        return bytes(content)

    def download_file(
        self, reference: HubReference, commit: str, file: HubFile, target: Path, max_bytes: int
    ) -> int:
        """Download a file to ``target``, verify it, and return its size in bytes.

        Raises DatasetTooLarge beyond ``max_bytes``, and what ``get_dataset_info`` raises.
        """
        path = f"/datasets/{reference.repository}/resolve/{commit}/{quote(file.path)}"
        sha256, size = hashlib.sha256(), 0
        with self._stream_body(path) as chunks, target.open("wb") as written:
            for chunk in chunks:
                size += len(chunk)
                if size > max_bytes:
                    raise build_too_large_error(max_bytes, self._param)
                sha256.update(chunk)
                written.write(chunk)
        self._verify_download(file, size, sha256.hexdigest())
        return size

    def _verify_download(self, file: HubFile, size: int, sha256: str) -> None:
        has_listed_size = file.size is None or file.size == size
        has_listed_digest = file.lfs is None or file.lfs.sha256 == sha256
        if not (has_listed_size and has_listed_digest):
            raise self._build_unreachable_error(
                f"the downloaded {file.path[:80]} differs from the listed file"
            )

    @contextmanager
    def _stream_body(self, path: str) -> Iterator[Iterator[bytes]]:
        """Request ``path``, follow redirects, and yield the chunks of the body."""
        url = httpx.URL(f"{self._endpoint}{path}")
        try:
            for _ in range(MAX_REDIRECTS):
                with self._http.stream("GET", url, headers=self._build_headers(url)) as response:
                    if not response.has_redirect_location:
                        self._check_response(response)
                        yield self._iterate_chunks(response)
                        return
                    url = self._resolve_redirect(url, response.headers["location"])
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._build_unreachable_error(
                f"the connection failed ({type(error).__name__})"
            ) from None
        raise self._build_unreachable_error("it redirects too often")

    def _build_headers(self, url: httpx.URL) -> dict[str, str]:
        """Return the token for the hub itself; no other host gets it."""
        endpoint = self._endpoint
        is_hub = (url.scheme, url.host, url.port) == (endpoint.scheme, endpoint.host, endpoint.port)
        if not (is_hub and self._token):
            return {}
        return {"authorization": f"Bearer {self._token.get_secret_value()}"}

    def _resolve_redirect(self, url: httpx.URL, location: str) -> httpx.URL:
        """Return the target; raise HubNotAllowed for an unknown host or unencrypted transport."""
        target = url.join(location)
        is_allowed = is_allowed_host(target.host, self._allowed_hosts)
        if not is_allowed or target.scheme not in {self._endpoint.scheme, "https"}:
            address = f"{target.scheme}://{target.host}"[:100]
            raise HubNotAllowed(
                f"The hub redirects to {address}, which is not an allowed host; "
                "add it to EVENKEEL_HUB_HOSTS to allow it.",
                param=self._param,
            )
        return target

    def _check_response(self, response: httpx.Response) -> None:
        # the hub responds with 401 also for what does not exist
        if response.status_code in (401, 403, 404):
            error_code = response.headers.get("x-error-code", "")
            raise DatasetNotFound(
                _NOT_FOUND_MESSAGES.get(error_code, _NOT_FOUND_MESSAGE), param=self._param
            )
        if response.status_code != 200 or "content-encoding" in response.headers:
            raise self._build_unreachable_error(f"it responds with status {response.status_code}")

    def _iterate_chunks(self, response: httpx.Response) -> Iterator[bytes]:
        for chunk in response.iter_raw():
            if time.monotonic() > self._deadline:
                raise self._build_unreachable_error(
                    f"the download takes longer than {self._timeout_s:g} seconds"
                )
            yield chunk

    def _build_unreachable_error(self, reason: str) -> HubNotReachable:
        return HubNotReachable(f"The hub cannot be read: {reason}.", param=self._param)


def build_too_large_error(max_bytes: int, param: str) -> DatasetTooLarge:
    return DatasetTooLarge(
        f"The files of the split have more than {max_bytes:,} bytes; upload a sample of the rows.",
        param=param,
    )
