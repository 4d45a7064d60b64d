"""The two requests that are made to the hub: what a data set consists of at a revision, and the bytes of one of its files."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
from pydantic import BaseModel, Field, ValidationError

from api.hub.reference import Reference
from shared.domain.errors import DatasetNotFound, DatasetTooLarge, HubNotAllowed, HubNotReachable
from shared.infra.settings import Settings

MOST_INFO_BYTES = 16 * 1024 * 1024
MOST_MOVES = 5
SILENCE_S = 20.0
"""Without a byte for so long, the hub is given up."""
_PUBLIC_HUB = "huggingface.co"
_ITS_FILES = "hf.co"  # where the public hub sends downloads on to


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


class Hub:
    """One fetch's connection to the hub, for ``hub_seconds`` in all; every error is about ``param``."""

    def __init__(self, settings: Settings, param: str) -> None:
        self._endpoint = httpx.URL(settings.hub_endpoint.rstrip("/"))
        self._hosts = [host for host in settings.hub_hosts.replace(" ", "").split(",") if host]
        self._token = settings.hub_token
        self._seconds = settings.hub_seconds
        self._deadline = time.monotonic() + settings.hub_seconds
        self._param = param
        timeout = min(SILENCE_S, settings.hub_seconds)
        self._http = httpx.Client(timeout=timeout, headers={"accept-encoding": "identity"})

    def close(self) -> None:
        self._http.close()

    def info(self, reference: Reference) -> DatasetInfo:
        """The commit that the revision names at present, its files and the card. Raises DatasetNotFound, HubNotReachable, HubNotAllowed."""
        revision = (
            "" if reference.revision is None else f"/revision/{quote(reference.revision, safe='')}"
        )
        path = f"/api/datasets/{reference.repository}{revision}?blobs=true"
        content = bytearray()
        with self._opened(path) as chunks:
            for chunk in chunks:
                content += chunk
                if len(content) > MOST_INFO_BYTES:
                    raise DatasetTooLarge(
                        "The data set consists of more files than this service looks through.",
                        param=self._param,
                    )
        try:
            return DatasetInfo.model_validate_json(bytes(content))
        except ValidationError:
            raise self._unreachable("its answer is not a data set's description") from None

    def download(
        self, reference: Reference, commit: str, file: HubFile, target: Path, most: int
    ) -> int:
        """Bytes written to ``target``. Raises as ``info`` does, and DatasetTooLarge beyond ``most`` bytes."""
        path = f"/datasets/{reference.repository}/resolve/{commit}/{quote(file.path)}"
        digest, size = hashlib.sha256(), 0
        with self._opened(path) as chunks, target.open("wb") as written:
            for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise DatasetTooLarge(
                        f"The split's files have more than {most:,} bytes.", param=self._param
                    )
                digest.update(chunk)
                written.write(chunk)
        listed = (
            size if file.size is None else file.size,
            digest.hexdigest() if file.lfs is None else file.lfs.sha256,
        )
        if listed != (size, digest.hexdigest()):
            raise self._unreachable(f"what came for {file.path[:80]} is not the file that it lists")
        return size

    @contextmanager
    def _opened(self, path: str) -> Iterator[Iterator[bytes]]:
        """The body behind ``path``, wherever the hub has moved it to; as long as there is time left."""
        url = httpx.URL(f"{self._endpoint}{path}")
        try:
            for _ in range(MOST_MOVES):
                with self._http.stream("GET", url, headers=self._headers(url)) as response:
                    if not response.has_redirect_location:
                        self._refuse(response)
                        yield self._in_time(response)
                        return
                    url = self._moved(url, response.headers["location"])
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._unreachable(f"the connection failed ({type(error).__name__})") from None
        raise self._unreachable("it sends from one place to another and back")

    def _headers(self, url: httpx.URL) -> dict[str, str]:
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

    def _moved(self, url: httpx.URL, location: str) -> httpx.URL:
        """Raises HubNotAllowed for a host that the operator has not asked for, and for a way that is not encrypted any more."""
        target = url.join(location)
        own = [
            self._endpoint.host,
            *self._hosts,
            *([_ITS_FILES] if self._endpoint.host == _PUBLIC_HUB else []),
        ]
        known = any(target.host == host or target.host.endswith(f".{host}") for host in own)
        if not known or target.scheme not in {self._endpoint.scheme, "https"}:
            where = f"{target.scheme}://{target.host}"[:100]
            raise HubNotAllowed(
                f"The hub sends on to {where}, where this service may not go (EVENKEEL_HUB_HOSTS).",
                param=self._param,
            )
        return target

    def _refuse(self, response: httpx.Response) -> None:
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
            raise self._unreachable(f"it answers {response.status_code}")

    def _in_time(self, response: httpx.Response) -> Iterator[bytes]:
        for chunk in response.iter_raw():
            if time.monotonic() > self._deadline:
                raise self._unreachable(f"it takes longer than {self._seconds:g} seconds")
            yield chunk

    def _unreachable(self, why: str) -> HubNotReachable:
        return HubNotReachable(f"The hub cannot be read at present: {why}.", param=self._param)
