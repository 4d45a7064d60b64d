"""The database's clock in unix seconds. Lease rules compare with it alone, so the clocks of
other machines do not matter.
"""

from typing import Any

from sqlalchemy import Double, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class db_now(FunctionElement[float]):  # noqa: N801 (reads as the SQL function it is)
    """Seconds since 1970-01-01 UTC, with a fraction, at the moment the statement runs."""

    type = Double()
    inherit_cache = True


@compiles(db_now)
def _compile_postgresql(_element: db_now, _compiler: SQLCompiler, **_: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


@compiles(db_now, "sqlite")
def _compile_sqlite(_element: db_now, _compiler: SQLCompiler, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


def read_db_time(session: Session) -> float:
    """Return the database's time, in unix seconds."""
    return session.scalars(select(db_now())).one()
