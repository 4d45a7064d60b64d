"""Request schema of a job's webhook, and the check of its URL."""

import base64
import binascii
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from api.strict_request import StrictRequest
from shared.domain.errors import InvalidValue
from shared.infra.network import is_public_host
from shared.infra.settings import Settings
from shared.infra.webhook_signature import SECRET_PREFIX

MIN_KEY_BYTES = 16
MAX_URL_LENGTH = 2048
# libraries disagree on hosts with other characters, such as backslashes and percent signs
_PLAIN_URL = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?#].*)?")


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("give an http or https URL of visible ASCII characters")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "leave user and password out of the URL; the signature authenticates the sender"
        )
    if len(url) > MAX_URL_LENGTH:
        raise ValueError(f"give a URL of at most {MAX_URL_LENGTH:,} characters")
    if not _PLAIN_URL.fullmatch(url):
        raise ValueError(
            "write the host as a name of letters, digits, hyphens and dots, or as an IP address"
        )
    return url


def _check_secret(secret: str) -> str:
    if not secret.startswith(SECRET_PREFIX):
        return secret
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"the part after {SECRET_PREFIX} must be base64") from None
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"give a key of at least {MIN_KEY_BYTES} bytes")
    return secret


class WebhookRequest(StrictRequest):
    """Where to send a POST request once the job has succeeded, failed or been cancelled.

    The request is signed as described at https://www.standardwebhooks.com.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    url: Annotated[
        str,
        Field(
            json_schema_extra={
                "format": "uri",
                "minLength": len("http://a"),
                "maxLength": MAX_URL_LENGTH,
                "pattern": "^https?://[!-~]+$",
            },
        ),
        AfterValidator(_check_url),
    ]
    """An `http` or `https` URL without user and password."""
    secret: Annotated[
        str,
        StringConstraints(min_length=MIN_KEY_BYTES, max_length=256),
        AfterValidator(_check_secret),
    ]
    """Signing key: `whsec_` followed by the key in base64, or the key itself as text. It is never
    returned."""


def require_public_address(settings: Settings, webhook: WebhookRequest | None) -> None:
    """Raise InvalidValue for a URL whose host is visibly not public.

    Host names are resolved and checked when the webhook is sent.
    """
    if webhook is None or settings.webhook_private_addresses:
        return
    host = urlsplit(webhook.url).hostname or ""
    if not is_public_host(host):
        raise InvalidValue(
            f"{host} is not a public address; use a public one, or set "
            "EVENKEEL_WEBHOOK_PRIVATE_ADDRESSES=true.",
            param="webhook.url",
        )
