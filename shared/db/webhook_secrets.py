"""Webhooks as rows have them: encrypted, except for the receiver's host."""

import logging

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.db.tables import Job
from shared.domain.job_facts import SealedWebhook, WebhookTarget
from shared.infra.secret_box import SecretBox, SecretUnreadable

log = logging.getLogger(__name__)


def seal_webhook(box: SecretBox, target: WebhookTarget) -> SealedWebhook:
    """Encrypt a webhook. Raises OSError without a key."""
    sealed = box.seal(target.model_dump_json())
    return SealedWebhook(host=target.host, sealed=sealed, key_id=box.key_id)


def unseal_webhook(box: SecretBox, webhook: SealedWebhook | WebhookTarget) -> WebhookTarget:
    """Decrypt a webhook. Raises SecretUnreadable, and OSError without a key."""
    if isinstance(webhook, WebhookTarget):
        return webhook
    return WebhookTarget.model_validate_json(box.unseal(webhook.sealed))


def reseal_webhooks(session: Session, box: SecretBox) -> int:
    """Encrypt with the first key every webhook that is not; return how many were changed.

    One that no key opens stays as it is.
    """
    changed = 0
    key_id = func.coalesce(Job.webhook["key_id"].as_string(), "")
    others = select(Job).where(Job.webhook.is_not(None), key_id != box.key_id)
    for job in session.scalars(others.with_for_update()):
        assert job.webhook is not None
        try:
            job.webhook = seal_webhook(box, unseal_webhook(box, job.webhook))
        except SecretUnreadable:
            log.warning("webhook_unreadable job=%s", job.id)
            continue
        changed += 1
    return changed
