"""The API keys as a process knows them: all rows of the table, read again every two seconds.

Requests are checked against this copy, so that neither polls nor floods of guesses cost a query
each. A key that is revoked or expires ends in every process within ``RELOAD_INTERVAL_S``; an
unknown key is looked for in a newer copy, so a new one works at once.
"""

import asyncio
import hmac
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from shared.db.api_keys import USE_INTERVAL_S, ApiKeys, KeyRecord
from shared.db.session import Database
from shared.domain.api_keys import (
    LOCAL_CALLER,
    Caller,
    get_key_prefix,
    hash_key,
    is_stored_key_form,
)
from shared.domain.errors import NotAuthenticated, ServiceUnavailable

log = logging.getLogger(__name__)

RELOAD_INTERVAL_S = 2.0
SEND_KEY = "send the header 'Authorization: Bearer <key>'."
UNKNOWN_KEY_INTERVAL_S = 0.25
"""Age of the copy in which an unknown key is looked for again: it bounds the queries of guesses."""


@dataclass(frozen=True)
class KeySnapshot:
    """The keys of the table at one moment, by their prefixes."""

    records: dict[str, KeyRecord] = field(default_factory=dict)

    @classmethod
    def from_records(cls, records: Sequence[KeyRecord]) -> "KeySnapshot":
        return cls({record.prefix: record for record in records})

    @property
    def has_keys(self) -> bool:
        """Whether there has ever been a key. The last one to expire must not open the service."""
        return bool(self.records)

    def find_key(self, key: str) -> KeyRecord | None:
        """Return the record of a key, also of one that may no longer be used.

        Takes the same time for every key with the same prefix.
        """
        record = self.records.get(get_key_prefix(key))
        if record is not None and hmac.compare_digest(record.hash, hash_key(key)):
            return record
        return None


def require_usable(record: KeyRecord) -> None:
    """Raise NotAuthenticated for a key that was valid once."""
    if record.revoked or record.expired:
        reason = "was revoked" if record.revoked else "has expired"
        raise NotAuthenticated(f"The API key {record.prefix}… {reason}; use another key.")


class KeyDirectory:
    """The current snapshot of one process, and the uses of keys that it records."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._snapshot: KeySnapshot | None = None
        self._loaded_at = float("-inf")
        self._loading: asyncio.Task[None] | None = None
        self._recorded_uses: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def latest_snapshot(self) -> KeySnapshot | None:
        """The latest snapshot, however old; None before the first."""
        return self._snapshot

    async def find_key(self, key: str) -> KeyRecord | None:
        """Return the record of a key, also of one that may no longer be used."""
        record = (await self.get_snapshot()).find_key(key)
        if record is None and is_stored_key_form(key):
            record = (await self.get_snapshot(UNKNOWN_KEY_INTERVAL_S)).find_key(key)
        return record

    async def require_access(self, caller: Caller) -> None:
        """Raise NotAuthenticated if a caller who was admitted would not be any more: its key has
        been revoked or has expired, or it had none and keys are required now.
        """
        snapshot = await self.get_snapshot()
        if caller == LOCAL_CALLER and snapshot.has_keys:
            raise NotAuthenticated(f"The service requires an API key now; {SEND_KEY}")
        record = snapshot.records.get(caller.key_name)
        if record is not None:
            require_usable(record)

    async def find_key_by_digest(self, prefix: str, digest: str) -> KeyRecord | None:
        """Return the record of a key that was given earlier, also of one that may no longer be
        used.
        """
        record = (await self.get_snapshot()).records.get(prefix)
        is_same = record is not None and hmac.compare_digest(record.hash, digest)
        return record if is_same else None

    async def get_snapshot(self, max_age_s: float = RELOAD_INTERVAL_S) -> KeySnapshot:
        """Return a snapshot that is at most ``max_age_s`` old.

        While the database does not respond, the latest one counts: a request that it admits needs
        the database too. Raises ServiceUnavailable if there has been none.
        """
        if time.monotonic() - self._loaded_at >= max_age_s:
            if self._loading is None:
                self._loading = asyncio.create_task(self._reload())
            # shielded: a client that disconnects must not cancel the read of the others
            await asyncio.shield(self._loading)
        if self._snapshot is None:
            raise ServiceUnavailable("The database does not respond; retry shortly.")
        return self._snapshot

    def record_use(self, record: KeyRecord) -> None:
        """Write to the key's row that it was used, in the background and once a minute."""
        now = time.monotonic()
        if now - self._recorded_uses.get(record.id, float("-inf")) < USE_INTERVAL_S:
            return
        self._recorded_uses[record.id] = now
        task = asyncio.create_task(self._write_use(record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload(self) -> None:
        started_at = time.monotonic()
        try:
            # not in the threads of requests, which long ones may occupy
            self._snapshot = await asyncio.to_thread(self._read_snapshot)
            self._loaded_at = started_at
        except SQLAlchemyError as error:
            log.warning("keys_not_loaded error=%s", error)
        finally:
            self._loading = None

    def _read_snapshot(self) -> KeySnapshot:
        with self._database.read() as session:
            return KeySnapshot.from_records(ApiKeys(session).list_records())

    async def _write_use(self, record: KeyRecord) -> None:
        try:
            await asyncio.to_thread(self._record_use, record.id)
        except SQLAlchemyError as error:
            log.warning("key_use_not_recorded key=%s error=%s", record.prefix, error)

    def _record_use(self, key_id: str) -> None:
        with self._database.write() as session:
            ApiKeys(session).record_use(key_id)
