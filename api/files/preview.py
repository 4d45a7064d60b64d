"""Preview of a file: its first rows as a model's tokenizer splits them."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from api.dependencies import AppServices
from api.files import service
from api.files.preview_schemas import FilePreview, PreviewOptions, PreviewRow
from api.files.tokenization import tokenize_texts
from shared.datasets import Table
from shared.datasets.columns import ColumnIndices, choose_columns, get_label_cells
from shared.datasets.readers.cells import ListCell
from shared.datasets.readers.unreadable import UnreadableCell
from shared.datasets.task_resolution import resolve_max_seq_length
from shared.db.files import Files
from shared.db.models import Models
from shared.db.tables import File
from shared.domain.errors import InvalidValue
from shared.domain.naming import FINE_TUNED_PREFIX, get_base_name
from shared.domain.task import TaskRequest

MAX_TEXT_CHARACTERS = 2_000  # so that a preview of a hundred long documents stays small

INDEX_PATTERN = re.compile("[0-9]{1,4}")


class _Source(NamedTuple):
    """What a preview is made of: the file, and the base model with its limit."""

    file: File
    model_folder: Path
    max_seq_length: int


def build_preview(services: AppServices, file_id: str, options: PreviewOptions) -> FilePreview:
    """Read and tokenize the first rows of a file.

    Raises FileNotFound, ModelNotAllowed, ModelNotFound, and InvalidValue for columns that do not
    exist or are ambiguous.
    """
    try:
        source = _find_source(services, file_id, options)
        param = "file_id" if options.header == "auto" else "header"
        with service.open_table(services, source.file, options.header, param=param) as table:
            columns = choose_columns(_build_task_request(options.columns, table), table)
            rows = _take_rows(table, columns, options.row_count)
    except InvalidValue as error:
        # in a job's request, these parameters are fields of its task
        raise InvalidValue(error.message, param=(error.param or "").removeprefix("task.")) from None
    return _build_file_preview(source, options, table, columns, list(_tokenize_rows(rows, source)))


def _build_file_preview(
    source: _Source,
    options: PreviewOptions,
    table: Table,
    columns: ColumnIndices,
    data: list[PreviewRow],
) -> FilePreview:
    return FilePreview(
        file_id=source.file.id,
        model=options.model,
        max_seq_length=source.max_seq_length,
        text_column=table.get_column_reference(columns.text),
        text_pair_column=None if columns.pair is None else table.get_column_reference(columns.pair),
        label_column=table.get_column_reference(columns.label),
        truncated=sum(row.truncated for row in data),
        data=data,
    )


def _find_source(services: AppServices, file_id: str, options: PreviewOptions) -> _Source:
    is_fine_tuned = options.model.startswith(FINE_TUNED_PREFIX)
    with services.database.read() as session:
        file = Files(session, services.owner_id).get(file_id, param="file_id")
        if is_fine_tuned:
            Models(session, services.owner_id).get(options.model)
    base_model = get_base_name(options.model) if is_fine_tuned else options.model
    facts = services.catalogue.get_facts(base_model)
    return _Source(
        file,
        services.catalogue.get_folder(base_model),
        resolve_max_seq_length(options.max_seq_length, facts.max_position_embeddings),
    )


class _RawRow(NamedTuple):
    number: int
    text: str
    text_pair: str | None
    label: str


def _take_rows(table: Table, columns: ColumnIndices, count: int) -> list[_RawRow]:
    labels = get_label_cells(table, columns.label)
    used = (*columns.list_text_columns(), columns.label)
    readable = (
        (number, row, label)
        for number, row, label in zip(table.row_numbers, table.rows, labels, strict=True)
        if not any(isinstance(row[column], UnreadableCell) for column in used)
    )
    return [
        _RawRow(
            number,
            str(row[columns.text]),
            None if columns.pair is None else str(row[columns.pair]),
            label,
        )
        for number, row, label in islice(readable, count)
    ]


def _tokenize_rows(rows: list[_RawRow], source: _Source) -> Iterator[PreviewRow]:
    texts = [(row.text, row.text_pair) for row in rows]
    tokenized = tokenize_texts(source.model_folder, texts, source.max_seq_length)
    for row, tokens in zip(rows, tokenized, strict=True):
        yield PreviewRow(
            row=row.number,
            text=row.text[:MAX_TEXT_CHARACTERS],
            text_pair=None if row.text_pair is None else row.text_pair[:MAX_TEXT_CHARACTERS],
            label=row.label.parse_values() if isinstance(row.label, ListCell) else row.label,
            tokens=tokens.tokens,
            input_ids=tokens.input_ids,
            num_tokens=tokens.num_tokens,
            truncated=tokens.is_truncated,
        )


def _build_task_request(columns: dict[str, str | None], table: Table) -> TaskRequest:
    """Return the requested columns as a task; a number is an index unless a column is named so."""
    references = {
        field: int(name)
        if INDEX_PATTERN.fullmatch(name) and name not in (table.columns or ())
        else name
        for field, name in columns.items()
        if name is not None
    }
    return TaskRequest.model_validate(references)
