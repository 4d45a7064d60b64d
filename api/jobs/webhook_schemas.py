"""Where a job's end is to be told, on the wire."""

import base64
import binascii
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from shared.domain.errors import InvalidValue
from shared.infra.network import is_literal, is_public
from shared.infra.settings import Settings
from shared.infra.webhook_signature import SECRET_PREFIX

MIN_KEY_BYTES = 16


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("an http or https address of visible ASCII characters")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address without user and password: the signature says who sends")
    return url


def _check_secret(secret: str) -> str:
    if not secret.startswith(SECRET_PREFIX):
        return secret
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows {SECRET_PREFIX} must be base64") from None
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"a key of at least {MIN_KEY_BYTES} bytes")
    return secret


class WebhookRequest(BaseModel):
    """A POST is sent there when the job has succeeded, failed or been cancelled, signed as
    https://www.standardwebhooks.com says.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    url: Annotated[
        str,
        Field(
            min_length=8,
            max_length=2048,
            json_schema_extra={"format": "uri", "pattern": "^https?://[!-~]+$"},
        ),
        AfterValidator(_check_url),
    ]
    """An `http` or `https` address, without user and password."""
    secret: Annotated[
        str,
        StringConstraints(min_length=MIN_KEY_BYTES, max_length=256),
        AfterValidator(_check_secret),
    ]
    """``whsec_`` and a key in base64, or the key itself as text. It is never shown again."""


def check_public_address(settings: Settings, webhook: WebhookRequest | None) -> None:
    """Raises InvalidValue for an address that is seen to be none of the public network; names
    are looked up when it is sent.
    """
    if webhook is None or settings.webhook_private_addresses:
        return
    host = urlsplit(webhook.url).hostname or ""
    if host == "localhost" or (is_literal(host) and not is_public(host)):
        raise InvalidValue(
            (
                f"{host} is not a public address; EVENKEEL_WEBHOOK_PRIVATE_ADDRESSES=true "
                "allows others."
            ),
            param="webhook.url",
        )
