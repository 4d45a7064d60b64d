"""The two requests that are made to the hub: what a data set consists of at a revision, and the
bytes of one of its files.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
from pydantic import BaseModel, Field, ValidationError

from api.hub.reference import HubReference
from shared.domain.errors import DatasetNotFound, DatasetTooLarge, HubNotAllowed, HubNotReachable
from shared.infra.settings import Settings

MAX_INFO_BYTES = 16 * 1024 * 1024
MAX_REDIRECTS = 5
READ_TIMEOUT_S = 20.0
"""Without a byte for so long, the hub is given up."""
_PUBLIC_HUB = "huggingface.co"
_PUBLIC_HUB_DOWNLOADS = "hf.co"  # where the public hub sends downloads on to


class Lfs(BaseModel):
    sha256: str


class HubFile(BaseModel):
    path: str = Field(alias="rfilename")
    size: int | None = None
    lfs: Lfs | None = None


class DatasetInfo(BaseModel):
    """Of the hub's answer what is needed here."""

    commit: Annotated[str, Field(alias="sha", pattern=r"^[0-9a-f]{40}$")]
    files: list[HubFile] = Field(alias="siblings")
    card: dict[str, Any] | None = Field(None, alias="cardData")


class HubClient:
    """One fetch's connection to the hub, for ``hub_seconds`` in all; every error is about
    ``param``.
    """

    def __init__(self, settings: Settings, param: str) -> None:
        self._endpoint = httpx.URL(settings.hub_endpoint.rstrip("/"))
        self._allowed_hosts = [
            host for host in settings.hub_hosts.replace(" ", "").split(",") if host
        ]
        self._token = settings.hub_token
        self._timeout_s = settings.hub_seconds
        self._deadline = time.monotonic() + settings.hub_seconds
        self._param = param
        timeout = min(READ_TIMEOUT_S, settings.hub_seconds)
        self._http = httpx.Client(timeout=timeout, headers={"accept-encoding": "identity"})

    def close(self) -> None:
        self._http.close()

    def get_dataset_info(self, reference: HubReference) -> DatasetInfo:
        """The commit that the revision names at present, its files and the card. Raises
        DatasetNotFound, HubNotReachable, HubNotAllowed.
        """
        revision = (
            "" if reference.revision is None else f"/revision/{quote(reference.revision, safe='')}"
        )
        path = f"/api/datasets/{reference.repository}{revision}?blobs=true"
        content = bytearray()
        with self._stream_body(path) as chunks:
            for chunk in chunks:
                content += chunk
                if len(content) > MAX_INFO_BYTES:
                    raise DatasetTooLarge(
                        "The data set consists of more files than this service looks through.",
                        param=self._param,
                    )
        try:
            return DatasetInfo.model_validate_json(bytes(content))
        except ValidationError:
            raise self._build_unreachable_error(
                "its answer is not a data set's description"
            ) from None

    def download_file(
        self, reference: HubReference, commit: str, file: HubFile, target: Path, max_bytes: int
    ) -> int:
        """Bytes written to ``target``. Raises as ``info`` does, and DatasetTooLarge beyond
        ``most`` bytes.
        """
        path = f"/datasets/{reference.repository}/resolve/{commit}/{quote(file.path)}"
        digest, size = hashlib.sha256(), 0
        with self._stream_body(path) as chunks, target.open("wb") as written:
            for chunk in chunks:
                size += len(chunk)
                if size > max_bytes:
                    raise DatasetTooLarge(
                        f"The split's files have more than {max_bytes:,} bytes.", param=self._param
                    )
                digest.update(chunk)
                written.write(chunk)
        listed = (
            size if file.size is None else file.size,
            digest.hexdigest() if file.lfs is None else file.lfs.sha256,
        )
        if listed != (size, digest.hexdigest()):
            raise self._build_unreachable_error(
                f"what came for {file.path[:80]} is not the file that it lists"
            )
        return size

    @contextmanager
    def _stream_body(self, path: str) -> Iterator[Iterator[bytes]]:
        """The body behind ``path``, wherever the hub has moved it to; as long as there is time
        left.
        """
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
        raise self._build_unreachable_error("it sends from one place to another and back")

    def _build_headers(self, url: httpx.URL) -> dict[str, str]:
        ours = (url.scheme, url.host, url.port) == (
            self._endpoint.scheme,
            self._endpoint.host,
            self._endpoint.port,
        )
        return (
            {"authorization": f"Bearer {self._token.get_secret_value()}"}
            if ours and self._token
            else {}
        )

    def _resolve_redirect(self, url: httpx.URL, location: str) -> httpx.URL:
        """Raises HubNotAllowed for a host that the operator has not asked for, and for a way
        that is not encrypted any more.
        """
        target = url.join(location)
        own = [
            self._endpoint.host,
            *self._allowed_hosts,
            *([_PUBLIC_HUB_DOWNLOADS] if self._endpoint.host == _PUBLIC_HUB else []),
        ]
        known = any(target.host == host or target.host.endswith(f".{host}") for host in own)
        if not known or target.scheme not in {self._endpoint.scheme, "https"}:
            where = f"{target.scheme}://{target.host}"[:100]
            raise HubNotAllowed(
                f"The hub sends on to {where}, where this service may not go (EVENKEEL_HUB_HOSTS).",
                param=self._param,
            )
        return target

    def _check_response(self, response: httpx.Response) -> None:
        if response.status_code in (401, 403, 404):  # the hub says 401 of what is not there, too
            what = {
                "RevisionNotFound": "The data set has no such revision.",
                "GatedRepo": "The data set is for those alone who were given access to it.",
                "EntryNotFound": "The hub lists a file of the data set and does not have it.",
            }.get(
                response.headers.get("x-error-code", ""),
                "The hub has no such data set, or does not show it to us.",
            )
            raise DatasetNotFound(what, param=self._param)
        if response.status_code != 200 or "content-encoding" in response.headers:
            raise self._build_unreachable_error(f"it answers {response.status_code}")

    def _iterate_chunks(self, response: httpx.Response) -> Iterator[bytes]:
        for chunk in response.iter_raw():
            if time.monotonic() > self._deadline:
                raise self._build_unreachable_error(
                    f"it takes longer than {self._timeout_s:g} seconds"
                )
            yield chunk

    def _build_unreachable_error(self, reason: str) -> HubNotReachable:
        return HubNotReachable(f"The hub cannot be read at present: {reason}.", param=self._param)
