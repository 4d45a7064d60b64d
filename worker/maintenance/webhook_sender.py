"""Delivery of webhooks: signed, to public addresses only, retried for a day."""

import asyncio
import logging
import threading
import time
from typing import NamedTuple

import httpx
from sqlalchemy.exc import SQLAlchemyError

from shared.db.deliveries import ClaimedDelivery, Deliveries
from shared.db.session import Database
from shared.db.webhook_secrets import unseal_webhook
from shared.domain.job_facts import WebhookTarget
from shared.infra.network import is_public_address, resolve_host
from shared.infra.secret_box import SecretBox, SecretUnreadable
from shared.infra.settings import Settings
from shared.infra.webhook_signature import build_signed_headers
from shared.timings import WEBHOOK_DEADLINE_S, WEBHOOK_LEASE_S, WEBHOOK_TIMEOUT_S

log = logging.getLogger(__name__)
HTTP_GONE = 410  # the receiver asks for no more attempts
MAX_ERROR_CHARS = 200


class DeliveryResult(NamedTuple):
    """Result of one attempt."""

    status: int | None
    error: str | None
    """Why the attempt failed, or None if it was successful."""
    final: bool = False
    """True if another attempt would have the same result."""


class AddressNotPublic(Exception):
    """Refusal of a host that resolves to an address that is not public."""


class _DeadlineExceeded(Exception):
    """The receiver was found and did not answer in time."""


class WebhookSender:
    """Sender of due deliveries; any number may run at a time.

    Each delivery is claimed under a lease, one a receiver at a time. After a crash it may be sent
    twice, with the same id.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._allow_private_addresses = settings.webhook_private_addresses
        self._tick_seconds = settings.tick_seconds
        self._database = database
        self._secret_box = SecretBox(settings)

    def run(self, stop: threading.Event) -> None:
        """Send due deliveries until ``stop`` is set."""
        while not stop.is_set():
            try:
                while not stop.is_set() and self.send_next_delivery():
                    pass
            except SQLAlchemyError as error:  # the next tick tries again
                log.warning("webhook_sender_failed error=%s", error)
            stop.wait(self._tick_seconds)

    def send_next_delivery(self) -> bool:
        """Send the oldest due delivery; return False if none is due. Raises SQLAlchemyError."""
        delivery = self._claim_delivery()
        if delivery is None:
            return False
        result = self._attempt_delivery(delivery)
        with self._database.write() as session:
            Deliveries(session).record_attempt(
                delivery, result.status, result.error, final=result.final
            )
        log.info(
            "webhook_sent delivery=%s attempt=%s status=%s",
            delivery.id,
            delivery.attempt,
            result.status,
        )
        return True

    def _claim_delivery(self) -> ClaimedDelivery | None:
        with self._database.read() as session:
            if not Deliveries(session).has_due():
                return None
        with self._database.write() as session:
            return Deliveries(session).claim_next(WEBHOOK_LEASE_S)

    def _attempt_delivery(self, delivery: ClaimedDelivery) -> DeliveryResult:
        try:
            webhook = unseal_webhook(self._secret_box, delivery.webhook)
            status = self._post_delivery(delivery, webhook)
        except AddressNotPublic as error:
            return DeliveryResult(None, str(error), final=True)
        except SecretUnreadable as error:
            return DeliveryResult(None, f"The webhook cannot be read. {error}")
        except _DeadlineExceeded as error:
            return DeliveryResult(None, str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return DeliveryResult(None, f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARS])
        if 200 <= status < 300:
            return DeliveryResult(status, None)
        return DeliveryResult(
            status, f"The receiver answered with status {status}.", final=status == HTTP_GONE
        )

    def _post_delivery(self, delivery: ClaimedDelivery, webhook: WebhookTarget) -> int:
        """Send the request and return the response's status.

        The response's body is not read and redirects are not followed. The connection goes to the
        address that was checked, without a second lookup of the name that could differ. Raises
        _DeadlineExceeded after WEBHOOK_DEADLINE_S.
        """
        url, body = httpx.URL(webhook.url), delivery.body.encode()
        headers = _build_headers(delivery, webhook, url, body)
        target = url.copy_with(host=self._resolve_address(url))
        # asyncio, because only a cancellation ends a request whose every read is in time
        try:
            return asyncio.run(_post(target, body, headers, url.host))
        except TimeoutError:
            raise _DeadlineExceeded(
                f"The receiver did not answer within {WEBHOOK_DEADLINE_S:g} s."
            ) from None

    def _resolve_address(self, url: httpx.URL) -> str:
        """Return an address of the host. Raises AddressNotPublic, or OSError for unknown names."""
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = resolve_host(url.host, port, WEBHOOK_TIMEOUT_S)
        if not self._allow_private_addresses and not all(
            is_public_address(address) for address in addresses
        ):
            raise AddressNotPublic(
                f"{url.host} is not a public address. Set EVENKEEL_WEBHOOK_PRIVATE_ADDRESSES to "
                "allow private addresses."
            )
        return addresses[0]


async def _post(target: httpx.URL, body: bytes, headers: dict[str, str], host: str) -> int:
    """Send the request to an address; ``host`` is the name of its certificate."""
    async with (
        asyncio.timeout(WEBHOOK_DEADLINE_S),
        httpx.AsyncClient(
            timeout=WEBHOOK_TIMEOUT_S, trust_env=False, follow_redirects=False
        ) as client,
        client.stream(
            "POST", target, content=body, headers=headers, extensions={"sni_hostname": host}
        ) as response,
    ):
        return response.status_code


def _build_headers(
    delivery: ClaimedDelivery, webhook: WebhookTarget, url: httpx.URL, body: bytes
) -> dict[str, str]:
    signed = build_signed_headers(webhook.secret, delivery.id, int(time.time()), body)
    return signed | {
        "host": url.netloc.decode("ascii"),
        "content-type": "application/json",
        "user-agent": "Evenkeel",
    }
