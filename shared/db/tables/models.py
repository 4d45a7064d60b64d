"""Tables of published models and stored comparisons."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.clock import db_now
from shared.db.tables.base import Base
from shared.db.tables.typed_json import TypedJson
from shared.report.comparison.schemas import StoredComparison


class Model(Base):
    """A published model: the folder of a chosen run."""

    __tablename__ = "models"
    __table_args__ = (Index(None, "owner_id", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str]
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    base_model: Mapped[str]
    prefix: Mapped[str]
    """Storage prefix of its folder."""
    labels: Mapped[list[str]] = mapped_column(TypedJson(list[str]))
    created_at: Mapped[float] = mapped_column(default=db_now())


class Comparison(Base):
    """A comparison of jobs, as returned at the time."""

    __tablename__ = "comparisons"
    __table_args__ = (Index(None, "owner_id", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str]
    result: Mapped[StoredComparison] = mapped_column(TypedJson(StoredComparison))
    """The response body without id and time."""
    created_at: Mapped[float] = mapped_column(default=db_now())
