"""Requests to the hub, through ``huggingface_hub``: descriptions of models, and their files."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from shared.domain.errors import ModelNotAllowed, ModelNotFound
from shared.domain.hub_model import HubFile
from shared.encoders.hub.ids import COMMIT_PATTERN
from shared.encoders.hub.session import (
    IDLE_TIMEOUT_S,
    Transfer,
    build_unreachable_error,
    configure_session,
    watch_transfer,
)
from shared.infra.settings import Settings

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

MAX_DESCRIPTION_BYTES = 16 * 1024 * 1024
METADATA_SECONDS = 20.0
_TOKEN_ADVICE = "set EVENKEEL_HUB_TOKEN or HF_TOKEN to a token with access to it"


class LfsPointer(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    size: NonNegativeInt
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ListedFile(BaseModel):
    """A file as the hub lists it."""

    model_config = ConfigDict(from_attributes=True)

    rfilename: str
    size: NonNegativeInt | None = None
    blob_id: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    lfs: LfsPointer | None = None


class ModelDescription(BaseModel):
    """The parts of the library's ``ModelInfo`` that are needed, with the types they should have."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    sha: Annotated[str, Field(pattern=COMMIT_PATTERN.pattern + "$")]
    siblings: list[ListedFile]


class HubClient:
    """The hub of an installation. Errors say what to do; no message contains the token."""

    def __init__(self, settings: Settings) -> None:
        self._endpoint = settings.hub_endpoint.rstrip("/")
        # None is the library's own rule: HF_TOKEN, or the token of `hf auth login`
        self._token = settings.hub_token.get_secret_value() if settings.hub_token else None
        configure_session(settings)

    def describe_model(self, model: str, revision: str | None) -> ModelDescription:
        """Return the commit that a revision names now, its files with their sizes and digests.

        Raises ModelNotFound, ModelNotAllowed, HubNotReachable, HubNotAllowed.
        """
        from huggingface_hub import HfApi

        with _translate_errors(model), _limit_metadata(MAX_DESCRIPTION_BYTES):
            described = HfApi(self._endpoint, token=self._token).model_info(
                model, revision=revision, files_metadata=True, timeout=IDLE_TIMEOUT_S
            )
            return ModelDescription.model_validate(described)

    def read_file(self, repository: str, commit: str, path: str, max_bytes: int) -> bytes:
        """Return the content of a small file. Raises what ``describe_model`` raises."""
        content = bytearray()
        with _limit_metadata(max_bytes):
            for chunk in self._stream_file(repository, commit, path, first_byte=0):
                content += chunk or b""
        return bytes(content)

    def append_file(
        self, repository: str, commit: str, file: HubFile, part: Path, check: Callable[[], None]
    ) -> None:
        """Download the rest of a file behind the bytes that ``part`` already has.

        Raises what ``describe_model`` raises, and what ``check`` raises; it is called with every
        chunk. The bytes received so far stay in ``part``.
        """
        received = part.stat().st_size if part.exists() else 0
        transfer = Transfer(max_bytes=file.bytes - received, check=check)
        with part.open("ab") as written, watch_transfer(transfer):
            for chunk in self._stream_file(repository, commit, file.path, first_byte=received):
                if chunk is None:  # the hub sends the file from its beginning
                    written.truncate(0)
                    transfer.max_bytes = file.bytes
                else:
                    written.write(chunk)

    def _stream_file(
        self, repository: str, commit: str, path: str, *, first_byte: int
    ) -> Iterator[bytes | None]:
        """Yield the chunks from ``first_byte`` on; None before a body that begins at 0 instead."""
        from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        url = hf_hub_url(repository, path, revision=commit, endpoint=self._endpoint)
        headers = build_hf_headers(token=self._token) | {"accept-encoding": "identity"}
        if first_byte:
            headers["range"] = f"bytes={first_byte}-"
        with (
            _translate_errors(repository),
            get_session().stream("GET", url, headers=headers) as response,
        ):
            hf_raise_for_status(response)
            if "content-encoding" in response.headers:
                raise build_unreachable_error("it sends a compressed file")
            if first_byte and response.status_code != 206:
                yield None
            yield from response.iter_raw()


@contextmanager
def _limit_metadata(max_bytes: int) -> Iterator[None]:
    with watch_transfer(Transfer(max_bytes, deadline=time.monotonic() + METADATA_SECONDS)):
        yield


@contextmanager
def _translate_errors(model: str) -> Iterator[None]:
    """Turn the library's errors into those of the service, without their URLs and headers."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.HfHubHTTPError as error:
        _raise_response_error(model, error)
    except (httpx2.HTTPError, httpx2.InvalidURL, errors.OfflineModeIsEnabled) as error:
        raise build_unreachable_error(f"the connection failed ({type(error).__name__})") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise build_unreachable_error("its response is not a description of a model") from None


def _raise_response_error(model: str, error: "HfHubHTTPError") -> NoReturn:
    from huggingface_hub import errors

    status = error.response.status_code
    # a store refuses an address whose signature is too old; the next request gets a new one
    is_of_store = bool(error.response.history) and "x-error-code" not in error.response.headers
    if is_of_store or isinstance(error, errors.RemoteEntryNotFoundError):
        raise build_unreachable_error(f"it cannot send a listed file (status {status})") from None
    if isinstance(error, errors.RevisionNotFoundError):
        raise ModelNotFound(
            f"{model} has no such revision on the hub. Check model_revision.",
            param="model_revision",
        ) from None
    if isinstance(error, errors.GatedRepoError):
        raise ModelNotAllowed(
            f"{model} is gated: accept its terms on the hub, then {_TOKEN_ADVICE}.", param="model"
        ) from None
    if isinstance(error, errors.DisabledRepoError):
        raise ModelNotAllowed(f"{model} has been disabled on the hub.", param="model") from None
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403, 404):
        raise ModelNotFound(
            f"The hub has no model {model}, or this service has no access to it. Check the name, "
            f"or {_TOKEN_ADVICE}.",
            param="model",
        ) from None
    raise build_unreachable_error(f"it responds with status {status}") from None
