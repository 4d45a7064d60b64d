"""``GET /v1/files/{id}/preview``: the first rows as the network will see them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict

from api.dependencies import AppServices
from api.files import service
from api.files.tokenization import tokenize_texts
from shared.datasets import Table
from shared.datasets.columns import ColumnIndices, choose_columns, get_label_cells
from shared.datasets.readers.cells import ListCell
from shared.datasets.task_resolution import resolve_max_seq_length
from shared.db.files import Files
from shared.db.models import Models
from shared.domain.errors import InvalidValue
from shared.domain.naming import FINE_TUNED, base_name
from shared.domain.task import ColumnName, Header, TaskRequest
from shared.encoders.catalogue import OFFLINE_ENCODER

MAX_PREVIEW_ROWS = 100
MAX_TEXT_CHARACTERS = 2_000
"""Characters; a preview of a hundred long documents should not be a download."""

INDEX_PATTERN = re.compile("[0-9]{1,4}")

_COLUMN_QUERY = Query(
    description="Its name, or its index from 0; default: told from the names, as for a job."
)


@dataclass(frozen=True)
class PreviewOptions:
    """Which rows, read how, and whose tokenizer."""

    model: str
    row_count: int
    header: Header
    max_seq_length: int | Literal["auto"]
    columns: dict[str, str | None]
    """By the field of the task that they are for."""


async def read_preview_options(
    model: Annotated[str, Query(max_length=256, description="Whose tokenizer.")] = OFFLINE_ENCODER,
    n: Annotated[
        int, Query(ge=1, le=MAX_PREVIEW_ROWS, description="Rows, from the first that can be read.")
    ] = 10,
    max_seq_length: Annotated[
        Annotated[int, Query(ge=8, le=8192)] | Literal["auto"],
        Query(description="Tokens that a row is cut to; `auto` as for a job."),
    ] = "auto",
    header: Annotated[
        Literal["auto", "true", "false"], Query(description="As in `task`.")
    ] = "auto",
    text_column: Annotated[ColumnName | None, _COLUMN_QUERY] = None,
    text_pair_column: Annotated[ColumnName | None, _COLUMN_QUERY] = None,
    label_column: Annotated[ColumnName | None, _COLUMN_QUERY] = None,
) -> PreviewOptions:
    """The parameters of a preview."""
    columns = {
        "text_column": text_column,
        "text_pair_column": text_pair_column,
        "label_column": label_column,
    }
    return PreviewOptions(
        model, n, header if header == "auto" else header == "true", max_seq_length, columns
    )


class PreviewRow(BaseModel):
    """One row as the network will see it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    row: int
    """Data row, from 1."""
    text: str
    """Its first 2,000 characters, as the second text's."""
    text_pair: str | None
    """The second text; null for single texts."""
    label: str | list[str]
    """As it stands in the file; several for a multi-label task."""
    tokens: list[str]
    """With the special tokens, after truncation."""
    input_ids: list[int]
    """The indices of `tokens` in the vocabulary."""
    num_tokens: int
    """Before truncation."""
    truncated: bool
    """Whether `num_tokens` is more than `max_seq_length`."""


class FilePreview(BaseModel):
    """The rows, and how they were cut up."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["file.preview"] = "file.preview"
    file_id: str
    model: str
    """The model whose tokenizer it is."""
    max_seq_length: int
    """Tokens that a row is cut to."""
    text_column: str | int
    text_pair_column: str | int | None
    label_column: str | int
    truncated: int
    """How many of these rows are longer than ``max_seq_length`` tokens."""
    data: list[PreviewRow]
    """The rows, in the order of the file."""


def build_preview(services: AppServices, file_id: str, options: PreviewOptions) -> FilePreview:
    """Raises FileNotFound, ModelNotAllowed, ModelNotFound, InvalidValue for columns that are
    not there or not clear.
    """
    with services.database.read() as session:
        file = Files(session, services.owner_id).get(file_id, param="file_id")
        if options.model.startswith(FINE_TUNED):
            Models(session, services.owner_id).get(options.model)
    base_model = base_name(options.model) if options.model.startswith(FINE_TUNED) else options.model
    try:
        most = resolve_max_seq_length(
            options.max_seq_length, services.catalogue.facts(base_model).max_position_embeddings
        )
        folder = services.catalogue.folder(base_model)
        param = "file_id" if options.header == "auto" else "header"
        with service.open_table(services, file, options.header, param=param) as table:
            columns = choose_columns(_build_task_request(options.columns, table), table)
            rows = _PreviewRows.from_table(options.row_count, table, columns)
    except InvalidValue as error:  # of a job these would be fields of its task
        raise InvalidValue(error.message, param=(error.param or "").removeprefix("task.")) from None
    tokenised = tokenize_texts(folder, rows.texts, most)
    return FilePreview(
        file_id=file_id,
        model=options.model,
        max_seq_length=most,
        text_column=table.get_column_reference(columns.text),
        text_pair_column=None if columns.pair is None else table.get_column_reference(columns.pair),
        label_column=table.get_column_reference(columns.label),
        truncated=sum(row.is_truncated for row in tokenised),
        data=[
            PreviewRow(
                row=number,
                text=text[:MAX_TEXT_CHARACTERS],
                text_pair=None if pair is None else pair[:MAX_TEXT_CHARACTERS],
                label=label.parse_values() if isinstance(label, ListCell) else label,
                tokens=row.tokens,
                input_ids=row.input_ids,
                num_tokens=row.num_tokens,
                truncated=row.is_truncated,
            )
            for number, (text, pair), label, row in zip(
                rows.row_numbers, rows.texts, rows.labels, tokenised, strict=True
            )
        ],
    )


@dataclass(frozen=True)
class _PreviewRows:
    row_numbers: Sequence[int]
    texts: list[tuple[str, str | None]]
    labels: list[str]

    @classmethod
    def from_table(cls, count: int, table: Table, columns: ColumnIndices) -> "_PreviewRows":
        rows = table.rows[:count]
        texts = [
            (str(row[columns.text]), None if columns.pair is None else str(row[columns.pair]))
            for row in rows
        ]
        return cls(table.row_numbers[:count], texts, get_label_cells(table, columns.label)[:count])


def _build_task_request(columns: dict[str, str | None], table: Table) -> TaskRequest:
    """A number means the column of that index, unless one has it for a name."""
    named = {
        field: int(name)
        if INDEX_PATTERN.fullmatch(name) and name not in (table.columns or ())
        else name
        for field, name in columns.items()
        if name is not None
    }
    return TaskRequest.model_validate(named)
