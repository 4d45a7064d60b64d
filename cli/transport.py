"""Sending to the service, again where that does no harm; whatever goes wrong comes out as one
sentence (``CliError``).
"""

import time
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from cli.errors import CliError
from shared.infra.settings import LOOPBACK_HOSTS

_RETRYABLE_STATUSES: Final = frozenset({429, 502, 503, 504})
_RETRY_DELAYS_S: Final = (
    0.2,
    0.5,
    1.0,
    2.0,
)  # seconds before each re-sending, unless the service asks for longer
_MAX_RETRY_DELAY_S: Final = 30.0
ResponseModel = TypeVar("ResponseModel", bound=BaseModel)


class Transport:
    """``patience``: for how many seconds a service that cannot be reached is waited for."""

    def __init__(
        self, url: str, api_key: str | None = None, *, retry_timeout_s: float = 0.0
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CliError(
                f"{url!r} is not the URL of a service; it looks like http://127.0.0.1:8000."
            )
        self.url = url.rstrip("/")
        self.retry_timeout_s = retry_timeout_s
        self._http = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(60.0, connect=5.0),
            trust_env=parts.hostname
            not in LOOPBACK_HOSTS,  # a proxy for the outside is not asked for this machine
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def _fetch_model(self, model_type: type[ResponseModel], path: str) -> ResponseModel:
        return self._parse_response(model_type, self._send_request("GET", path))

    def _send_request(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Send, and again while the service is busy, or cannot be reached and there is patience
        left.
        """
        give_up_at = time.monotonic() + self.retry_timeout_s
        pauses = iter(_RETRY_DELAYS_S)
        while True:
            try:
                response = self._http.request(method, path, **content)
            except httpx.TransportError as error:
                if time.monotonic() >= give_up_at:
                    raise self._build_unreachable_error(error) from error
                time.sleep(_RETRY_DELAYS_S[1])
                continue
            pause = next(pauses, None) if _is_retryable(response) else None
            if pause is None:
                return self._check_response(response)
            time.sleep(max(pause, _get_retry_after(response)))

    def _check_response(self, response: httpx.Response) -> httpx.Response:
        """The response, if it is the service's and no error; else its error as a sentence."""
        if response.is_success:
            return response
        try:
            error = response.json()["error"]
            message, param = str(error["message"]), error["param"]
        except (ValueError, KeyError, TypeError):
            raise self._build_mismatch_error(f" (HTTP {response.status_code})") from None
        raise CliError(message if not param or param in message else f"{message} (param: {param})")

    def _parse_response(
        self, model_type: type[ResponseModel], response: httpx.Response
    ) -> ResponseModel:
        try:
            return model_type.model_validate_json(response.content)
        except ValidationError as error:
            raise self._build_mismatch_error(
                f" ({error.errors()[0]['msg']} at {error.errors()[0]['loc']})"
            ) from error

    def _build_mismatch_error(self, detail: str = "") -> CliError:
        return CliError(
            f"What answers at {self.url} is not an Evenkeel of this version{detail}; check --url."
        )

    def _build_unreachable_error(self, error: httpx.TransportError) -> CliError:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return CliError(f"No Evenkeel answers at {self.url}. Start one with: evenkeel up")
        return CliError(
            f"The connection to {self.url} broke off ({type(error).__name__}); try again."
        )


def _is_retryable(response: httpx.Response) -> bool:
    return (
        response.status_code in _RETRYABLE_STATUSES
        or response.headers.get("x-should-retry") == "true"
    )


def _get_retry_after(response: httpx.Response) -> float:
    try:
        return min(float(response.headers.get("retry-after", 0)), _MAX_RETRY_DELAY_S)
    except ValueError:  # it may be a date
        return _RETRY_DELAYS_S[-1]
