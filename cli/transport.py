"""Sending to the service, again where that does no harm; whatever goes wrong comes out as one sentence (``CliError``)."""

import time
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from cli.errors import CliError
from shared.infra.settings import LOOPBACK

_BUSY: Final = frozenset({429, 502, 503, 504})
_PAUSES: Final = (
    0.2,
    0.5,
    1.0,
    2.0,
)  # seconds before each re-sending, unless the service asks for longer
_LONGEST_PAUSE: Final = 30.0
Shape = TypeVar("Shape", bound=BaseModel)


class Transport:
    """``patience``: for how many seconds a service that cannot be reached is waited for."""

    def __init__(self, url: str, api_key: str | None = None, *, patience: float = 0.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CliError(
                f"{url!r} is not the URL of a service; it looks like http://127.0.0.1:8000."
            )
        self.url = url.rstrip("/")
        self.patience = patience
        self._http = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(60.0, connect=5.0),
            trust_env=parts.hostname
            not in LOOPBACK,  # a proxy for the outside is not asked for this machine
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
            raise self._stranger(
                f" ({error.errors()[0]['msg']} at {error.errors()[0]['loc']})"
            ) from error

    def _stranger(self, detail: str = "") -> CliError:
        return CliError(
            f"What answers at {self.url} is not an Evenkeel of this version{detail}; check --url."
        )

    def _unreachable(self, error: httpx.TransportError) -> CliError:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return CliError(f"No Evenkeel answers at {self.url}. Start one with: evenkeel up")
        return CliError(
            f"The connection to {self.url} broke off ({type(error).__name__}); try again."
        )


def _may_be_sent_again(response: httpx.Response) -> bool:
    return response.status_code in _BUSY or response.headers.get("x-should-retry") == "true"


def _asked_pause(response: httpx.Response) -> float:
    try:
        return min(float(response.headers.get("retry-after", 0)), _LONGEST_PAUSE)
    except ValueError:  # it may be a date
        return _PAUSES[-1]
