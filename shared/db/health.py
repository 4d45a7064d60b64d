"""Check that the database responds."""

from sqlalchemy import text
from sqlalchemy.orm import Session


def check_connection(session: Session) -> None:
    """Execute a trivial query. Raises sqlalchemy's OperationalError if the database is down."""
    session.execute(text("SELECT 1"))
