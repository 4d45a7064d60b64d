"""Query parameters and response schema of a file's preview."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict

from shared.domain.task import ColumnName, Header
from shared.encoders.catalogue import OFFLINE_ENCODER

MAX_PREVIEW_ROWS = 100

MaxSeqLength = Annotated[int, Query(ge=8, le=8192)] | Literal["auto"]
TokenizerModelQuery = Annotated[
    str, Query(max_length=256, description="Model whose tokenizer is used.")
]
RowCountQuery = Annotated[
    int,
    Query(
        ge=1,
        le=MAX_PREVIEW_ROWS,
        description="Number of rows, starting at the first readable one.",
    ),
]
MaxSeqLengthQuery = Annotated[
    MaxSeqLength, Query(description="Maximum number of tokens per row; `auto`: as in a job.")
]
HeaderQuery = Annotated[
    Literal["auto", "true", "false"],
    Query(description="Whether the first line names the columns; `auto`: detect it."),
]
TextColumnQuery = Annotated[
    ColumnName | None,
    Query(description="Name or index (from 0) of the text column; default: detected."),
]
TextPairColumnQuery = Annotated[
    ColumnName | None,
    Query(description="Name or index (from 0) of the second text column; default: detected."),
]
LabelColumnQuery = Annotated[
    ColumnName | None,
    Query(description="Name or index (from 0) of the label column; default: detected."),
]


@dataclass(frozen=True)
class PreviewOptions:
    """Which rows to show, how to read the file, and which tokenizer to use."""

    model: str
    row_count: int
    header: Header
    max_seq_length: int | Literal["auto"]
    columns: dict[str, str | None]
    """Requested column, by field of the task."""


async def read_preview_options(
    model: TokenizerModelQuery = OFFLINE_ENCODER,
    n: RowCountQuery = 10,
    max_seq_length: MaxSeqLengthQuery = "auto",
    header: HeaderQuery = "auto",
    text_column: TextColumnQuery = None,
    text_pair_column: TextPairColumnQuery = None,
    label_column: LabelColumnQuery = None,
) -> PreviewOptions:
    """Collect the query parameters of a preview."""
    columns = {
        "text_column": text_column,
        "text_pair_column": text_pair_column,
        "label_column": label_column,
    }
    parsed_header = header if header == "auto" else header == "true"
    return PreviewOptions(model, n, parsed_header, max_seq_length, columns)


class PreviewRow(BaseModel):
    """A row of the file with its tokens."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    row: int
    """Number of the data row, from 1."""
    text: str
    """First 2,000 characters of the text."""
    text_pair: str | None
    """First 2,000 characters of the second text; null for single texts."""
    label: str | list[str]
    """Label as written in the file; a list for a multi-label task."""
    tokens: list[str]
    """Tokens after truncation, special tokens included."""
    input_ids: list[int]
    """Indices of `tokens` in the vocabulary."""
    num_tokens: int
    """Number of tokens before truncation."""
    truncated: bool
    """Whether the row has more than `max_seq_length` tokens."""


class FilePreview(BaseModel):
    """The first rows of a file as the model's tokenizer splits them."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["file.preview"] = "file.preview"
    """Kind of object."""
    file_id: str
    """ID of the file."""
    model: str
    """Model whose tokenizer was used."""
    max_seq_length: int
    """Maximum number of tokens per row."""
    text_column: str | int
    """Name of the (first) text column, or its index if the file has no header."""
    text_pair_column: str | int | None
    """Name or index of the second text column; null for single texts."""
    label_column: str | int
    """Name or index of the label column."""
    truncated: int
    """Number of shown rows with more than `max_seq_length` tokens."""
    data: list[PreviewRow]
    """Rows, in the order of the file."""
