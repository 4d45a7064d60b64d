"""Sending what is due to the addresses that jobs name: signed, to public addresses alone, tried
again for a day.
"""

import logging
import socket
import threading
import time
from typing import NamedTuple

import httpx
from sqlalchemy.exc import SQLAlchemyError

from shared.db.deliveries import Deliveries, Due
from shared.db.session import Database
from shared.infra.network import is_public
from shared.infra.settings import Settings
from shared.infra.webhook_signature import signed_headers

log = logging.getLogger(__name__)
REQUEST_TIMEOUT_S = 10.0
LEASE_S = 60.0
HTTP_GONE = 410  # the receiver wants no more of it
MAX_ERROR_CHARS = 200


class DeliveryResult(NamedTuple):
    status: int | None
    error: str | None
    """A sentence, or None for a delivery."""
    final: bool = False
    """Whether another attempt would come to the same."""


class AddressNotPublic(Exception):
    """The host is, or may be, an address of this network."""


class WebhookSender:
    """Any number may run: each delivery is one claimer's at a time, and may in doubt be sent
    twice under the same id.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._allow_private_addresses = settings.webhook_private_addresses
        self._tick_seconds = settings.tick_seconds
        self._database = database

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            try:
                while not stop.is_set() and self.send_next_delivery():
                    pass
            except SQLAlchemyError as error:  # away for a moment; the next tick looks again
                log.warning("webhooks_not_sent error=%s", error)
            stop.wait(self._tick_seconds)

    def send_next_delivery(self) -> bool:
        """Send the delivery that has waited longest; False if none is due. Raises
        SQLAlchemyError.
        """
        with self._database.read() as session:
            if not Deliveries(session).any_due():
                return False
        with self._database.write() as session:
            due = Deliveries(session).claim(LEASE_S)
        if due is None:
            return False
        answer = self._attempt_delivery(due)
        with self._database.write() as session:
            Deliveries(session).answered(due, answer.status, answer.error, final=answer.final)
        log.info(
            "webhook_sent delivery=%s attempt=%s status=%s", due.id, due.attempt, answer.status
        )
        return True

    def _attempt_delivery(self, delivery: Due) -> DeliveryResult:
        try:
            status = self._post_delivery(delivery)
        except AddressNotPublic as refusal:
            return DeliveryResult(None, str(refusal), final=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return DeliveryResult(None, f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARS])
        if 200 <= status < 300:
            return DeliveryResult(status, None)
        return DeliveryResult(status, f"The receiver answered {status}.", final=status == HTTP_GONE)

    def _post_delivery(self, delivery: Due) -> int:
        """The answer's status; its body is not read, and a redirection not followed.

        The connection is made to the very address that was judged: the name is not looked up again.
        """
        url, body = httpx.URL(delivery.url), delivery.body.encode()
        headers = signed_headers(delivery.secret, delivery.id, int(time.time()), body)
        headers |= {
            "host": url.netloc.decode("ascii"),
            "content-type": "application/json",
            "user-agent": "Evenkeel",
        }
        to = url.copy_with(host=self._resolve_address(url))
        with (
            httpx.Client(
                timeout=REQUEST_TIMEOUT_S, trust_env=False, follow_redirects=False
            ) as client,
            client.stream(
                "POST", to, content=body, headers=headers, extensions={"sni_hostname": url.host}
            ) as answer,
        ):
            return answer.status_code

    def _resolve_address(self, url: httpx.URL) -> str:
        """Raises NotPublic, or OSError for a name that nobody knows."""
        port = url.port or (443 if url.scheme == "https" else 80)
        found = [
            str(entry[4][0])
            for entry in socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        ]
        if not self._allow_private_addresses and not all(is_public(address) for address in found):
            raise AddressNotPublic(
                f"{url.host} is not a public address; EVENKEEL_WEBHOOK_PRIVATE_ADDRESSES "
                "allows others."
            )
        return found[0]
