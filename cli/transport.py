"""HTTP requests to the service, with retries; every failure becomes a ``CliError``."""

import time
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from cli.api_models.base import Deletion
from cli.errors import CliError, RequestRefused
from cli.urls import is_loopback, normalize_url

_RETRYABLE_STATUSES: Final = frozenset({429, 502, 503, 504})
_RETRY_DELAYS_S: Final = (0.2, 0.5, 1.0, 2.0)
"""Pause before each retry, unless the service asks for a longer one."""
_RECONNECT_DELAY_S: Final = 0.5
_MAX_RETRY_DELAY_S: Final = 30.0
ResponseModel = TypeVar("ResponseModel", bound=BaseModel)


class Transport:
    """A connection to the service; waits ``retry_timeout_s`` for one that cannot be reached."""

    def __init__(
        self, url: str, api_key: str | None = None, *, retry_timeout_s: float = 0.0
    ) -> None:
        self.url = normalize_url(url)
        self.retry_timeout_s = retry_timeout_s
        self._has_key = bool(api_key)
        self._http = _create_http_client(self.url, api_key)

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
        """Send a request; retry while the service is busy, or unreachable within the timeout."""
        give_up_at = time.monotonic() + self.retry_timeout_s
        delays = iter(_RETRY_DELAYS_S)
        while True:
            try:
                response = self._http.request(method, path, **content)
            except httpx.RequestError as error:
                is_lost = isinstance(error, httpx.TransportError)
                if not is_lost or time.monotonic() >= give_up_at:
                    raise self._build_unreachable_error(error) from error
                time.sleep(_RECONNECT_DELAY_S)
                continue
            delay = next(delays, None) if _is_retryable(response) else None
            if delay is None:
                return self._check_response(response)
            time.sleep(max(delay, _get_retry_after(response)))

    def _delete(self, path: str) -> None:
        """Delete an object; raise CliError if the response is not the service's confirmation."""
        self._parse_response(Deletion, self._send_request("DELETE", path))

    def _check_response(self, response: httpx.Response) -> httpx.Response:
        """Return a successful response; raise the service's error message as a CliError."""
        if response.is_success:
            return response
        try:
            error = response.json()["error"]
            refusal = RequestRefused(
                str(error["message"]), code=error["code"], param=error["param"]
            )
        except (ValueError, KeyError, TypeError):
            raise self._build_mismatch_error(f" (HTTP {response.status_code})") from None
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise self._build_key_error()
        raise refusal

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
            f"The response from {self.url} is not one of this version of Evenkeel{detail}. "
            "Check --url or EVENKEEL_URL."
        )

    def _build_key_error(self) -> CliError:
        fault = "refuses the key in" if self._has_key else "needs an API key in"
        return CliError(
            f"The service at {self.url} {fault} EVENKEEL_API_KEY. Set it to the service's key."
        )

    def _build_unreachable_error(self, error: httpx.RequestError) -> CliError:
        if isinstance(error, httpx.DecodingError | httpx.TooManyRedirects):
            return self._build_mismatch_error(f" ({error})")
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            cure = (
                "Start one with: evenkeel up"
                if is_loopback(self.url)
                else "Check --url or EVENKEEL_URL, and that the service is running there."
            )
            return CliError(f"No service responds at {self.url}. {cure}")
        if isinstance(error, httpx.TimeoutException):
            return CliError(f"The service at {self.url} has not answered in time. Try again.")
        return CliError(
            f"The connection to {self.url} was lost ({type(error).__name__}). Try again."
        )


def _create_http_client(url: str, api_key: str | None) -> httpx.Client:
    if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
        raise CliError(
            "EVENKEEL_API_KEY has characters that no key can have. Set it to the service's key."
        )
    try:
        return httpx.Client(
            base_url=url,
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(60.0, connect=5.0),
            # requests to this machine bypass the environment's proxy
            trust_env=not is_loopback(url),
        )
    except httpx.InvalidURL as error:
        raise CliError(f"{url!r} is not the URL of a service ({error}). Check --url.") from error
    except (ValueError, ImportError, OSError) as error:  # of a proxy or a certificate file
        raise CliError(
            f"The environment's proxy or certificate settings cannot be used ({error}). Correct "
            "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE."
        ) from error


def _is_retryable(response: httpx.Response) -> bool:
    return (
        response.status_code in _RETRYABLE_STATUSES
        or response.headers.get("x-should-retry") == "true"
    )


def _get_retry_after(response: httpx.Response) -> float:
    """Return the seconds that the service asks to wait, at most _MAX_RETRY_DELAY_S."""
    try:
        return min(float(response.headers.get("retry-after", 0)), _MAX_RETRY_DELAY_S)
    except ValueError:  # the header may hold a date instead
        return _RETRY_DELAYS_S[-1]
