"""Queries on webhook deliveries, which are written when a job ends and kept as the delivery log."""

import json
import time
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Select, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from shared.db.clock import db_now
from shared.db.locks import lock_name
from shared.db.pagination import PageRequest, fetch_page, is_of_same_owner
from shared.db.tables import Job, WebhookDelivery
from shared.domain import ids
from shared.domain.job_facts import SealedWebhook, WebhookTarget

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
RETRY_DELAYS_S = (5.0, 30.0, 120.0, 600.0, 3600.0, 4 * 3600.0, 12 * 3600.0)
"""Delays after the first attempt, the second, …; the last one is followed by a final attempt."""


MAX_OWNER_ATTEMPTS = 4
"""Attempts at a time of one owner's deliveries, half of a sweeper's senders: receivers of many
names at one slow address do not hold up the notices of others.
"""


class ClaimedDelivery(NamedTuple):
    """A delivery that the caller has claimed."""

    id: str
    webhook: SealedWebhook | WebhookTarget
    body: str
    attempt: int
    """Counts from 1."""


class Deliveries:
    def __init__(self, session: Session) -> None:
        self._session = session

    def add_for_job(self, job_id: str, status: str) -> None:
        """Queue a notice that the job has ended as ``status``, if the job names a webhook."""
        job = self._session.get_one(Job, job_id)
        if job.webhook is None:
            return
        event_id, type_ = ids.make_event_id(), f"fine_tuning.job.{status}"
        data = {"id": job_id, "object": "fine_tuning.job", "status": status}
        payload = {
            "id": event_id,
            "object": "event",
            "created_at": int(time.time()),
            "type": type_,
            "data": data,
        }
        self._session.add(
            WebhookDelivery(
                id=event_id,
                job_id=job_id,
                owner_id=job.owner_id,
                type=type_,
                payload=json.dumps(payload, separators=(",", ":")),
                status=PENDING,
                next_attempt_at=db_now(),
                receiver=job.webhook.host,
            )
        )
        self._session.flush()

    def has_due(self) -> bool:
        return self._session.scalar(_build_due_query().limit(1)) is not None

    def claim_next(self, lease_seconds: float) -> ClaimedDelivery | None:
        """Claim the oldest due delivery for ``lease_seconds``, after which any sender may claim
        it. A receiver that is being sent one has to wait, so that a slow one holds up only itself;
        so has an owner with MAX_OWNER_ATTEMPTS in progress.
        """
        # one sender claims at a time, or two could choose deliveries to one receiver
        lock_name(self._session, "webhook deliveries")
        oldest = (
            _build_due_query()
            .order_by(WebhookDelivery.next_attempt_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        delivery_id = self._session.scalar(oldest)
        if delivery_id is None:
            return None
        claimed = update(WebhookDelivery).where(WebhookDelivery.id == delivery_id)
        self._session.execute(
            claimed.values(
                attempts=WebhookDelivery.attempts + 1,
                next_attempt_at=db_now() + lease_seconds,
                leased_until=db_now() + lease_seconds,
            )
        )
        row = self._session.get_one(WebhookDelivery, delivery_id, populate_existing=True)
        webhook = self._session.get_one(Job, row.job_id).webhook
        assert webhook is not None, "a delivery is of a job with a webhook"
        return ClaimedDelivery(row.id, webhook, row.payload, row.attempts)

    def record_attempt(
        self,
        delivery: ClaimedDelivery,
        response_status: int | None,
        error: str | None,
        *,
        final: bool = False,
    ) -> None:
        """Record the result of an attempt: delivered without ``error``; otherwise to be
        retried, unless it was the last attempt or is ``final``.
        """
        row = self._session.get(WebhookDelivery, delivery.id)
        if row is None or row.attempts != delivery.attempt or row.status != PENDING:
            return  # the job was deleted, or another sender has claimed the delivery since
        row.response_status, row.error = response_status, error
        row.next_attempt_at = row.leased_until = None
        if error is None:
            row.status = DELIVERED
            row.delivered_at = db_now()
        elif final or delivery.attempt > len(RETRY_DELAYS_S):
            row.status = FAILED
        else:
            row.next_attempt_at = db_now() + RETRY_DELAYS_S[delivery.attempt - 1]

    def list_page(self, job_id: str, page: PageRequest) -> tuple[Sequence[WebhookDelivery], bool]:
        scope = WebhookDelivery.job_id == job_id
        query = select(WebhookDelivery).where(scope)
        return fetch_page(
            self._session,
            query,
            WebhookDelivery.id,
            page,
            scope=scope,
            prefix=ids.NOTICE_PREFIX,
            owner_scope=is_of_same_owner(WebhookDelivery.owner_id, job_id),
        )


def _build_due_query() -> Select[str]:
    """Build a query of the due deliveries whose receivers are not being sent another one, and
    whose owners have not too many attempts in progress.
    """
    other = aliased(WebhookDelivery)
    is_busy = exists().where(
        other.receiver == WebhookDelivery.receiver, other.leased_until > db_now()
    )
    own = aliased(WebhookDelivery)
    attempts = (
        select(func.count())
        .where(
            # an attempt in progress is due again when its lease ends, for which there is an index
            *(own.status == PENDING, own.next_attempt_at > db_now(), own.leased_until > db_now()),
            own.owner_id == WebhookDelivery.owner_id,
        )
        .scalar_subquery()
    )
    return select(WebhookDelivery.id).where(
        *(WebhookDelivery.status == PENDING, WebhookDelivery.next_attempt_at <= db_now()),
        ~is_busy,
        attempts < MAX_OWNER_ATTEMPTS,
    )
