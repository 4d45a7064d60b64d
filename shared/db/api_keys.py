"""Queries on API keys."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shared.db.clock import db_now, read_db_time
from shared.db.locks import lock_name
from shared.db.session import Database, find_database_file
from shared.db.tables import ApiKey
from shared.domain.api_keys import LOCAL_OWNER, Scope, get_key_prefix, hash_key, make_key
from shared.domain.ids import make_key_id

USE_INTERVAL_S = 60.0
"""A use is recorded at most so often."""


MATCHES_SHOWN = 3


class KeyRefused(Exception):
    """A key cannot be created or revoked; the text says why and what to do."""


class NewKey(NamedTuple):
    """A key's row, and the key itself, which is known only now."""

    row: ApiKey
    key: str


class KeyRecord(NamedTuple):
    """What a process keeps of a key to recognize it."""

    id: str
    owner_id: str
    prefix: str
    hash: str
    scope: Scope
    revoked: bool
    expired: bool


class ApiKeys:
    def __init__(self, session: Session) -> None:
        self._session = session

    def create_key(
        self, name: str, scope: Scope, *, owner_id: str | None, lifetime_seconds: float | None
    ) -> NewKey:
        """Store a new key. Without ``owner_id`` its name is that of a new owner.

        Raises KeyRefused.
        """
        lock_name(self._session, "api keys")
        self._require_free_name(name, owner_id)
        key = make_key()
        now = read_db_time(self._session)
        row = ApiKey(
            id=make_key_id(),
            owner_id=owner_id or name,
            name=name,
            prefix=get_key_prefix(key),
            hash=hash_key(key),
            scope=scope,
            created_at=now,
            expires_at=None if lifetime_seconds is None else now + lifetime_seconds,
        )
        self._session.add(row)
        self._session.flush()
        return NewKey(row, key)

    def _require_free_name(self, name: str, owner_id: str | None) -> None:
        same_name = select(ApiKey.id).where(ApiKey.name == name, ApiKey.revoked_at.is_(None))
        if self._session.scalar(same_name.limit(1)) is not None:
            raise KeyRefused(
                f"There is a key named {name} already. Choose another name, or revoke that key "
                f"first: evenkeel keys revoke {name}"
            )
        same_owner = select(ApiKey.id).where(ApiKey.owner_id == name).limit(1)
        if owner_id is None and (
            name == LOCAL_OWNER or self._session.scalar(same_owner) is not None
        ):
            raise KeyRefused(
                f"There is an owner named {name} already. Choose another name, or say that the "
                f"key is for that owner: --owner {name}"
            )

    def list_keys(self) -> Sequence[ApiKey]:
        """List all keys, the oldest first."""
        return self._session.scalars(select(ApiKey).order_by(ApiKey.id)).all()

    def list_records(self) -> list[KeyRecord]:
        """List what is needed to recognize keys, also those that may no longer be used."""
        expired = ApiKey.expires_at.is_not(None) & (ApiKey.expires_at <= db_now())
        columns = (ApiKey.id, ApiKey.owner_id, ApiKey.prefix, ApiKey.hash, ApiKey.scope)
        query = select(*columns, ApiKey.revoked_at.is_not(None), expired)
        return [
            KeyRecord(key_id, owner, prefix, digest, Scope(scope), bool(revoked), bool(is_expired))
            for key_id, owner, prefix, digest, scope, revoked, is_expired in self._session.execute(
                query
            )
        ]

    def revoke_key(self, text: str) -> ApiKey:
        """Revoke the key with this name, ID or prefix, or the only one of which the text is the
        beginning. Raises KeyRefused.
        """
        query = select(ApiKey).where(ApiKey.revoked_at.is_(None)).order_by(ApiKey.id)
        row = _choose_key(self._session.scalars(query.with_for_update()).all(), text)
        row.revoked_at = read_db_time(self._session)
        return row

    def record_use(self, key_id: str) -> None:
        """Record that the key was used now, unless another process has within a minute."""
        is_old = ApiKey.last_used_at < db_now() - USE_INTERVAL_S
        self._session.execute(
            update(ApiKey)
            .where(ApiKey.id == key_id, or_(ApiKey.last_used_at.is_(None), is_old))
            .values(last_used_at=db_now())
        )


def _choose_key(keys: Sequence[ApiKey], text: str) -> ApiKey:
    """Return the key that a text names whole, or else the only one that begins with it."""
    names = {key: (key.name, key.id, key.prefix) for key in keys}
    whole = [key for key in keys if text in names[key]]
    begun = [key for key in keys if text and any(one.startswith(text) for one in names[key])]
    found = whole or begun
    if not found:
        raise KeyRefused(
            f"No key that can be revoked has the name, ID or prefix {text[:80]!r}. "
            "`evenkeel keys list` shows all keys."
        )
    if len(found) > 1:
        shown = ", ".join(f"{key.name} ({key.prefix})" for key in found[:MATCHES_SHOWN])
        more = "" if len(found) <= MATCHES_SHOWN else f" and {len(found) - MATCHES_SHOWN} more"
        raise KeyRefused(
            f"{text[:80]!r} fits {len(found)} keys: {shown}{more}. Give more of the name or prefix."
        )
    return found[0]


def has_keys(url: str) -> bool:
    """Return whether the database at this URL has keys; False if it cannot be read or does not
    exist yet.
    """
    file = find_database_file(url)
    if file is not None and not file.exists():
        return False  # opening it would create it
    database = Database(url)
    try:
        with database.read() as session:
            return session.scalar(select(ApiKey.id).limit(1)) is not None
    except DBAPIError:
        return False
    finally:
        database.dispose()
