"""Delivery of webhooks: signature, retries, recorded attempts, no private addresses."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from sqlalchemy import update

from shared.db.deliveries import MAX_OWNER_ATTEMPTS, RETRY_DELAYS_S, ClaimedDelivery, Deliveries
from shared.db.job_advances import JobAdvances
from shared.db.jobs import Jobs
from shared.db.run_requests import RunRequests
from shared.db.session import Database
from shared.db.tables import Job, WebhookDelivery
from shared.db.webhook_secrets import seal_webhook
from shared.domain.job_facts import SealedWebhook, WebhookTarget
from shared.infra.network import is_public_address
from shared.infra.secret_box import SecretBox
from shared.infra.settings import Settings
from tests.rows import add_job
from tests.servers import find_free_port
from worker.context import WorkerContext
from worker.maintenance import webhook_sender
from worker.maintenance.webhook_sender import WebhookSender

SECRET = "whsec_c2l4dGVlbiBieXRlcyBvciBtb3Jl"


class Receiver:
    """HTTP server that answers with the given statuses."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.received.append(
                    ({name.lower(): value for name, value in self.headers.items()}, body)
                )
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def add_cancelled_job(
    database: Database, webhook: str | SealedWebhook, secret: str = SECRET
) -> str:
    made = add_job(database, runs=1)
    with database.write() as session:
        job = session.get_one(Job, made.id)
        job.webhook = (
            WebhookTarget(url=webhook, secret=secret) if isinstance(webhook, str) else webhook
        )
        session.flush()
        assert Jobs(session).request_cancel(job)
        RunRequests(session).cancel_runs(made.id)
        assert Jobs(session).finish_cancelled_job(made.id)
    return made.id


def make_sender(context: WorkerContext, *, private: bool = True) -> WebhookSender:
    settings = Settings(home=context.settings.home, webhook_private_addresses=private)
    return WebhookSender(settings, context.database)


def load_delivery(database: Database, job_id: str) -> WebhookDelivery:
    with database.read() as session:
        return session.query(WebhookDelivery).where(WebhookDelivery.job_id == job_id).one()


def make_due(database: Database) -> None:
    with database.write() as session:
        session.execute(update(WebhookDelivery).values(next_attempt_at=1.0, leased_until=None))


@pytest.mark.parametrize("secret", [SECRET, "a plain text of my own"])
def test_the_official_client_accepts_the_signature(
    context: WorkerContext, receiver: Receiver, secret: str
) -> None:
    job_id = add_cancelled_job(context.database, receiver.url, secret)
    assert make_sender(context).send_next_delivery()
    assert not make_sender(context).send_next_delivery()
    [(headers, body)] = receiver.received
    client = OpenAI(api_key="none", webhook_secret=secret)
    event = client.webhooks.unwrap(body, headers)
    assert event.type == "fine_tuning.job.cancelled"
    assert event.data.id == job_id
    assert headers["webhook-id"] == event.id
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.unwrap(body.replace(b"cancelled", b"succeeded"), headers)
    row = load_delivery(context.database, job_id)
    assert (row.status, row.attempts, row.response_status, row.next_attempt_at) == (
        "delivered",
        1,
        200,
        None,
    )
    assert row.delivered_at is not None
    client.close()


def test_attempts_repeat_with_the_same_id_until_the_last(
    context: WorkerContext, receiver: Receiver
) -> None:
    job_id = add_cancelled_job(context.database, receiver.url)
    receiver.statuses = [500, 307, 404, *[503] * len(RETRY_DELAYS_S)]
    for attempt, pause in enumerate(RETRY_DELAYS_S, start=1):
        assert make_sender(context).send_next_delivery()
        row = load_delivery(context.database, job_id)
        assert (row.status, row.attempts, row.error) == (
            "pending",
            attempt,
            f"The receiver answered with status {row.response_status}.",
        )
        assert row.next_attempt_at is not None
        assert row.next_attempt_at - row.created_at >= pause
        assert not make_sender(context).send_next_delivery()  # not before it is due
        make_due(context.database)
    assert make_sender(context).send_next_delivery()
    row = load_delivery(context.database, job_id)
    assert (row.status, row.attempts, row.next_attempt_at) == (
        "failed",
        len(RETRY_DELAYS_S) + 1,
        None,
    )
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    assert len(receiver.received) == len(RETRY_DELAYS_S) + 1  # the redirect was not followed


class DrippingReceiver:
    """Server that sends a byte of its response now and then, and never all of it."""

    def __init__(self) -> None:
        self.attempts = 0
        self._stop = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/hook"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._stop.set()
        self._server.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.attempts += 1
            threading.Thread(target=self._drip, args=[connection], daemon=True).start()

    def _drip(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
                while not self._stop.wait(0.1):
                    connection.sendall(b"x")
            except OSError:
                return


@pytest.fixture
def dripping() -> Iterator[DrippingReceiver]:
    made = DrippingReceiver()
    yield made
    made.close()


def test_an_attempt_has_a_deadline_however_the_receiver_drips(
    context: WorkerContext, dripping: DrippingReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_sender, "WEBHOOK_DEADLINE_S", 1.0)
    job_id = add_cancelled_job(context.database, dripping.url)
    assert make_sender(context).send_next_delivery()
    row = load_delivery(context.database, job_id)
    assert (row.status, row.error) == ("pending", "The receiver did not answer within 1 s.")


def test_a_name_that_is_not_resolved_in_time_is_told_as_such(
    context: WorkerContext, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait_too_long(host: str, *_: object) -> list[str]:
        raise TimeoutError(f"{host} was not resolved within 10 s")

    monkeypatch.setattr(webhook_sender, "resolve_host", wait_too_long)
    job_id = add_cancelled_job(context.database, receiver.url)
    assert make_sender(context).send_next_delivery()
    row = load_delivery(context.database, job_id)
    assert row.error == "TimeoutError: 127.0.0.1 was not resolved within 10 s"


def test_a_receiver_is_sent_one_notice_at_a_time(
    context: WorkerContext, receiver: Receiver
) -> None:
    slow = [add_cancelled_job(context.database, "http://slow.test/a") for _ in range(2)]
    other = add_cancelled_job(context.database, receiver.url)
    with context.database.write() as session:
        claimed = Deliveries(session).claim_next(60.0)
    assert claimed is not None
    assert make_sender(context).send_next_delivery()
    assert load_delivery(context.database, other).status == "delivered"
    assert not make_sender(context).send_next_delivery()  # the second one of the slow receiver
    with context.database.write() as session:
        Deliveries(session).record_attempt(claimed, 200, None)
    with context.database.write() as session:
        assert Deliveries(session).claim_next(60.0) is not None
    statuses = {load_delivery(context.database, job_id).status for job_id in slow}
    assert statuses == {"delivered", "pending"}


def test_an_owner_with_many_receivers_leaves_senders_to_others(context: WorkerContext) -> None:
    """Many names at one slow address are many receivers."""
    for number in range(MAX_OWNER_ATTEMPTS + 2):
        add_cancelled_job(context.database, f"http://{number}.slow.test/")
    other = add_cancelled_job(context.database, "http://other.test/")
    with context.database.write() as session:
        session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.job_id == other)
            .values(owner_id="another", next_attempt_at=WebhookDelivery.next_attempt_at + 0.001)
        )
    hosts = []
    for _ in range(MAX_OWNER_ATTEMPTS + 2):
        with context.database.write() as session:
            claimed = Deliveries(session).claim_next(60.0)
        hosts.append(None if claimed is None else claimed.webhook.host)
    assert hosts[MAX_OWNER_ATTEMPTS:] == ["other.test", None]


def test_senders_at_the_same_moment_take_different_receivers(context: WorkerContext) -> None:
    for host in ("a.test", "b.test"):
        for _ in range(3):
            add_cancelled_job(context.database, f"http://{host}/")
    claimed: list[ClaimedDelivery | None] = []
    barrier = threading.Barrier(6)

    def claim() -> None:
        barrier.wait()
        with context.database.write() as session:
            claimed.append(Deliveries(session).claim_next(60.0))

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    hosts = [one.webhook.host for one in claimed if one is not None]
    assert sorted(hosts) == ["a.test", "b.test"]


def test_a_webhook_of_a_lost_key_is_said_in_the_log_of_deliveries(
    context: WorkerContext, receiver: Receiver, tmp_path: Path
) -> None:
    other = SecretBox(Settings(home=tmp_path / "elsewhere"))
    target = WebhookTarget(url=receiver.url, secret=SECRET)
    job_id = add_cancelled_job(context.database, seal_webhook(other, target))
    assert make_sender(context).send_next_delivery()
    row = load_delivery(context.database, job_id)
    assert row.error is not None
    assert "Set EVENKEEL_SECRET_KEY to the same value" in row.error
    assert receiver.received == []


def test_no_attempt_follows_status_410(context: WorkerContext, receiver: Receiver) -> None:
    job_id = add_cancelled_job(context.database, receiver.url)
    receiver.statuses = [410]
    assert make_sender(context).send_next_delivery()
    assert load_delivery(context.database, job_id).status == "failed"


def test_a_refused_connection_is_a_failed_attempt(context: WorkerContext) -> None:
    job_id = add_cancelled_job(context.database, f"http://127.0.0.1:{find_free_port()}/hook")
    assert make_sender(context).send_next_delivery()
    row = load_delivery(context.database, job_id)
    assert (row.status, row.response_status) == ("pending", None)
    assert row.error is not None
    assert row.error.startswith("ConnectError")


def test_another_sender_takes_over_after_the_lease(
    context: WorkerContext, receiver: Receiver
) -> None:
    job_id = add_cancelled_job(context.database, receiver.url)
    with context.database.write() as session:
        lost = Deliveries(session).claim_next(60.0)
    assert lost is not None
    assert not make_sender(context).send_next_delivery()
    make_due(context.database)
    assert make_sender(context).send_next_delivery()
    with context.database.write() as session:
        Deliveries(session).record_attempt(lost, None, "too late")
    assert load_delivery(context.database, job_id).status == "delivered"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_private_addresses_are_refused_unless_allowed(
    context: WorkerContext, receiver: Receiver, host: str
) -> None:
    job_id = add_cancelled_job(context.database, receiver.url.replace("127.0.0.1", host))
    assert make_sender(context, private=False).send_next_delivery()
    row = load_delivery(context.database, job_id)
    assert (row.status, row.attempts, receiver.received) == ("failed", 1, [])
    assert (
        row.error == f"{host} is not a public address. Set EVENKEEL_WEBHOOK_PRIVATE_ADDRESSES to "
        "allow private addresses."
    )


def test_which_addresses_are_public() -> None:
    private = [
        "10.1.2.3",
        "127.0.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "0.0.0.0",
        "100.64.0.1",
        "::1",
        "fe80::1%eth0",
    ]
    private += [
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "224.0.0.1",
        "a name",
        "64:ff9b:1::a00:1",
        "64:ff9b:1::5db8:d822",
        "::127.0.0.1",
        "::93.184.216.34",
        "::ffff:0:7f00:1",
        "::ffff:0:5db8:d822",
        "fec0::1",
        "168.63.129.16",
        "::ffff:168.63.129.16",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "100::1",
        "ff02::1",
        "192.88.99.1",
        "198.18.0.1",
        "255.255.255.255",
    ]
    assert [address for address in private if is_public_address(address)] == []
    public = ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
    assert [address for address in public if is_public_address(address)] == public


def test_a_job_without_a_webhook_sends_nothing(context: WorkerContext) -> None:
    made = add_job(context.database, runs=0)
    with context.database.write() as session:
        fence = JobAdvances(session).claim_to_advance(made.id, 60.0)
        assert fence is not None
        JobAdvances(session).finish_job(made.id, fence, "failed")  # type: ignore[arg-type]
    assert not make_sender(context).send_next_delivery()


def test_the_payload_is_the_official_event(context: WorkerContext, receiver: Receiver) -> None:
    job_id = add_cancelled_job(context.database, receiver.url)
    payload = json.loads(load_delivery(context.database, job_id).payload)
    assert set(payload) == {"id", "object", "created_at", "type", "data"}
    assert (payload["object"], payload["data"]["id"]) == ("event", job_id)
