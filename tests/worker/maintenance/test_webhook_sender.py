"""Delivery of webhooks: signature, retries, recorded attempts, no private addresses."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
import pytest
from openai import OpenAI
from sqlalchemy import update

from shared.db.deliveries import RETRY_DELAYS_S, Deliveries
from shared.db.jobs import Jobs
from shared.db.run_requests import RunRequests
from shared.db.session import Database
from shared.db.tables import Job, WebhookDelivery
from shared.infra.network import is_public_address
from shared.infra.settings import Settings
from tests.rows import add_job
from tests.servers import find_free_port
from worker.context import WorkerContext
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


def add_cancelled_job(database: Database, url: str, secret: str = SECRET) -> str:
    made = add_job(database, runs=1)
    with database.write() as session:
        job = session.get_one(Job, made.id)
        job.webhook = {"url": url, "secret": secret}
        session.flush()
        assert Jobs(session).request_cancel(job)
        RunRequests(session).cancel_runs(made.id)
        assert Jobs(session).finish_cancelled_job(made.id)
    return made.id


def make_sender(staged: WorkerContext, *, private: bool = True) -> WebhookSender:
    settings = Settings(home=staged.settings.home, webhook_private_addresses=private)
    return WebhookSender(settings, staged.database)


def get_delivery(database: Database, job_id: str) -> WebhookDelivery:
    with database.read() as session:
        return session.query(WebhookDelivery).where(WebhookDelivery.job_id == job_id).one()


def make_due(database: Database) -> None:
    with database.write() as session:
        session.execute(update(WebhookDelivery).values(next_attempt_at=1.0))


@pytest.mark.parametrize("secret", [SECRET, "a plain text of my own"])
def test_the_official_client_accepts_the_signature(
    staged: WorkerContext, receiver: Receiver, secret: str
) -> None:
    job_id = add_cancelled_job(staged.database, receiver.url, secret)
    assert make_sender(staged).send_next_delivery()
    assert not make_sender(staged).send_next_delivery()
    [(headers, body)] = receiver.received
    client = OpenAI(api_key="none", webhook_secret=secret)
    event = client.webhooks.unwrap(body, headers)
    assert event.type == "fine_tuning.job.cancelled"
    assert event.data.id == job_id
    assert headers["webhook-id"] == event.id
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.unwrap(body.replace(b"cancelled", b"succeeded"), headers)
    row = get_delivery(staged.database, job_id)
    assert (row.status, row.attempts, row.response_status, row.next_attempt_at) == (
        "delivered",
        1,
        200,
        None,
    )
    assert row.delivered_at is not None
    client.close()


def test_attempts_repeat_with_the_same_id_until_the_last(
    staged: WorkerContext, receiver: Receiver
) -> None:
    job_id = add_cancelled_job(staged.database, receiver.url)
    receiver.statuses = [500, 307, 404, *[503] * len(RETRY_DELAYS_S)]
    for attempt, pause in enumerate(RETRY_DELAYS_S, start=1):
        assert make_sender(staged).send_next_delivery()
        row = get_delivery(staged.database, job_id)
        assert (row.status, row.attempts, row.error) == (
            "pending",
            attempt,
            f"The receiver answered {row.response_status}.",
        )
        assert row.next_attempt_at is not None
        assert row.next_attempt_at - row.created_at >= pause
        assert not make_sender(staged).send_next_delivery()  # not before it is due
        make_due(staged.database)
    assert make_sender(staged).send_next_delivery()
    row = get_delivery(staged.database, job_id)
    assert (row.status, row.attempts, row.next_attempt_at) == (
        "failed",
        len(RETRY_DELAYS_S) + 1,
        None,
    )
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    assert len(receiver.received) == len(RETRY_DELAYS_S) + 1  # the redirect was not followed


def test_no_attempt_follows_status_410(staged: WorkerContext, receiver: Receiver) -> None:
    job_id = add_cancelled_job(staged.database, receiver.url)
    receiver.statuses = [410]
    assert make_sender(staged).send_next_delivery()
    assert get_delivery(staged.database, job_id).status == "failed"


def test_a_refused_connection_is_a_failed_attempt(staged: WorkerContext) -> None:
    job_id = add_cancelled_job(staged.database, f"http://127.0.0.1:{find_free_port()}/hook")
    assert make_sender(staged).send_next_delivery()
    row = get_delivery(staged.database, job_id)
    assert (row.status, row.response_status) == ("pending", None)
    assert row.error is not None
    assert row.error.startswith("ConnectError")


def test_another_sender_takes_over_after_the_lease(
    staged: WorkerContext, receiver: Receiver
) -> None:
    job_id = add_cancelled_job(staged.database, receiver.url)
    with staged.database.write() as session:
        lost = Deliveries(session).claim_next(60.0)
    assert lost is not None
    assert not make_sender(staged).send_next_delivery()
    make_due(staged.database)
    assert make_sender(staged).send_next_delivery()
    with staged.database.write() as session:
        Deliveries(session).record_attempt(lost, None, "too late")
    assert get_delivery(staged.database, job_id).status == "delivered"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_private_addresses_are_refused_unless_allowed(
    staged: WorkerContext, receiver: Receiver, host: str
) -> None:
    job_id = add_cancelled_job(staged.database, receiver.url.replace("127.0.0.1", host))
    assert make_sender(staged, private=False).send_next_delivery()
    row = get_delivery(staged.database, job_id)
    assert (row.status, row.attempts, receiver.received) == ("failed", 1, [])
    assert (
        row.error == f"{host} is not a public address; set EVENKEEL_WEBHOOK_PRIVATE_ADDRESSES to "
        "allow private ones."
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
    ]
    assert [address for address in private if is_public_address(address)] == []
    public = ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
    assert [address for address in public if is_public_address(address)] == public


def test_a_job_without_a_webhook_sends_nothing(staged: WorkerContext) -> None:
    made = add_job(staged.database, runs=0)
    with staged.database.write() as session:
        fence = Jobs(session).claim_to_advance(made.id, 60.0)
        assert fence is not None
        Jobs(session).finish_job(made.id, fence, "failed")  # type: ignore[arg-type]
    assert not make_sender(staged).send_next_delivery()


def test_the_payload_is_the_official_event(staged: WorkerContext, receiver: Receiver) -> None:
    job_id = add_cancelled_job(staged.database, receiver.url)
    payload = json.loads(get_delivery(staged.database, job_id).payload)
    assert set(payload) == {"id", "object", "created_at", "type", "data"}
    assert (payload["object"], payload["data"]["id"]) == ("event", job_id)
