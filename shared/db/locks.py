"""Locks on names, of which one transaction at a time has each."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def lock_name(session: Session, name: str) -> None:
    """Lock a name until the transaction ends: the digest of a file's bytes, to decide whether to
    store or delete them; that of a request, to find out whether it has already created its job; or
    what a change of several rows is about.

    On SQLite a write transaction is alone anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
