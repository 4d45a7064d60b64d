"""The profile of a file as ``GET /v1/files/{id}/validation`` returns it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.datasets.columns import Detected
from shared.datasets.errors import RowProblem
from shared.datasets.readers.formats import Compression, Format
from shared.datasets.type_detection import ColumnKind
from shared.domain.visible_text import Prose


class _FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Finding(_FrozenModel):
    """A warning: the file can be used, but its owner should know."""

    code: str
    """Stable machine-readable code."""
    message: Prose
    """Explanation for people."""
    count: int
    """Number of affected rows or labels."""


class ColumnProfile(_FrozenModel):
    index: int
    """Position of the column, from 0."""
    name: str | None
    """Column name; null without a header."""
    kind: ColumnKind
    """Kind of all its values."""
    empty: int
    """Rows without a value in this column."""
    distinct: int
    """Number of distinct values, not counting the empty one."""


class LabelCount(_FrozenModel):
    label: str
    """Label name."""
    count: int
    """Rows with this label."""


class TextLength(_FrozenModel):
    """Nearest-rank quantiles of the text length over the rows; for a pair, of both texts
    together.
    """

    unit: Literal["characters"] = "characters"
    """Unit of the lengths."""
    p50: int
    """Median of the text length."""
    p95: int
    """95th percentile of the text length."""
    p99: int
    """99th percentile of the text length."""
    max: int
    """Longest text."""


class Validation(_FrozenModel):
    """The profile of a file; fields that depend on the columns' roles are null until these are
    known.
    """

    valid: bool
    """Whether every row can be used; a job on an invalid file is refused."""
    format: Format
    """File format, recognised by content rather than name."""
    compression: Compression | None = None
    """Compression of the uploaded file; null if it was not compressed."""
    encoding: str | None
    """`utf-8`; null for Parquet."""
    delimiter: str | None
    """Column separator; null for formats without one."""
    header: bool | None
    """Whether the first line names the columns; null for formats without a header line, and if
    it is unclear (warning `header_unclear`).
    """
    rows: int
    """Number of data rows, including those with errors."""
    columns: list[ColumnProfile]
    """Columns, profiled over the readable rows."""
    detected: Detected | None
    """Roles of the columns, as far as their names reveal them."""
    labels: list[LabelCount] | None
    """Labels, most frequent first; each label of a multi-label row counts. Null for numbers to
    be predicted and for columns with too many values to be classes.
    """
    text_length: TextLength | None
    """Text lengths; null while the columns are unknown."""
    duplicates: int
    """Rows whose text and label (all cells if the columns are unknown) repeat an earlier row."""
    empty_texts: int | None
    """Rows without a text; null while the columns are unknown."""
    errors: list[RowProblem]
    """The first hundred row problems."""
    errors_total: int
    """Number of row problems; `errors` lists the first hundred."""
    warnings: list[Finding]
    """Findings that do not prevent a job."""
