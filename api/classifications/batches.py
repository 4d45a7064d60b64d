"""A whole file classified: its rows read by the columns that the model was trained on, the
answers written to a result file.
"""

import csv
import hashlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api.classifications.schemas import BatchObject, BatchRequest, RequestCounts
from api.classifications.service import AnsweringModels, find_answering_models, format_prediction
from api.dependencies import AppServices
from api.files.service import open_table
from shared.datasets import Table
from shared.datasets.columns import find_column
from shared.datasets.labels import LABEL_SEPARATOR
from shared.datasets.readers.cells import ListCell
from shared.datasets.task_resolution import check_readable_rows, format_row_numbers
from shared.db.files import Files, hold_digest
from shared.db.tables import File
from shared.domain import ids
from shared.domain.errors import InvalidValue
from shared.domain.task import Column, Task, TaskType
from shared.infra.storage import file_key
from shared.timings import CLASSIFICATION_LIMIT_S

if TYPE_CHECKING:  # numpy and onnxruntime are loaded by whoever first asks a model
    from api.serving.answers import Answer
    from api.serving.classifier import Text

RESULTS_PURPOSE = "fine-tune-results"
MAX_ROWS = 20_000  # the request is answered when all are: two minutes at 170 texts a second
ROWS_PER_CHUNK = 1000
ResultCell = str | int | float | None


@dataclass(frozen=True)
class WrittenRows:
    row_count: int
    truncated_count: int
    token_count: int


def classify_file(services: AppServices, request: BatchRequest) -> BatchObject:
    """Raises FileNotFound, InvalidValue for a file that does not fit the model's task, and as
    ``service.classify_inputs`` does.
    """
    started = time.time()
    who = find_answering_models(services, request.model, ensemble=request.ensemble)
    with services.database.read() as session:
        source = Files(session, services.owner_id).get(request.input_file, param="input_file")
    header = who.task.header if request.header is None else request.header
    with open_table(services, source, header, param="input_file") as table:
        texts = _read_texts(table, who.task, request)
    with services.model_server.admit_request(), tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "classifications.csv"
        written = _write_results(services, who, texts, path)
        result = _store_results(services, path)
    return BatchObject(
        id=ids.classification_batch_id(),
        created_at=int(started),
        completed_at=int(time.time()),
        model=request.model,
        members=[member.id for member in who.members],
        input_file_id=source.id,
        output_file_id=result.id,
        request_counts=RequestCounts(
            total=written.row_count, completed=written.row_count, failed=0
        ),
        truncated=written.truncated_count,
        tokens=written.token_count,
    )


def _read_texts(table: Table, task: Task, request: BatchRequest) -> "list[Text]":
    """Every row's text, or pair of texts. Raises InvalidValue with row numbers."""
    check_readable_rows(table, "input_file")
    if table.total_rows > MAX_ROWS:
        raise InvalidValue(
            (
                f"{table.total_rows:,} rows are more than one request classifies "
                f"({MAX_ROWS:,}); split the file."
            ),
            param="input_file",
        )
    first = _read_column(table, request.text_column or task.text_column, "text_column")
    if task.text_pair_column is None:
        if request.text_pair_column is not None:
            raise InvalidValue(
                "This model was trained on single texts, not pairs.", param="text_pair_column"
            )
        return list(first)
    second = _read_column(
        table, request.text_pair_column or task.text_pair_column, "text_pair_column"
    )
    return list(zip(first, second, strict=True))


def _read_column(table: Table, column: Column, param: str) -> Sequence[str]:
    cells = table.get_cells(find_column(column, table, param))
    unfit = [
        position
        for position, cell in enumerate(cells)
        if isinstance(cell, ListCell) or not cell.strip()
    ]
    if unfit:
        raise InvalidValue(
            (
                f"{format_row_numbers(table, unfit)} no text in this column; fill it in or "
                "leave the row out."
            ),
            param=param,
        )
    return cells


def _write_results(
    services: AppServices, models: AnsweringModels, texts: "Sequence[Text]", path: Path
) -> WrittenRows:
    """A row an input row, as predictions.csv of a job has them. Raises InvalidValue for more
    than can be answered in time.
    """
    truncated = tokens = 0
    started = time.monotonic()
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(_build_header(models))
        for start in range(0, len(texts), ROWS_PER_CHUNK):
            found = services.model_server.classify_texts(
                models.members, models.task, texts[start : start + ROWS_PER_CHUNK]
            )
            for row, (answer, cut) in enumerate(
                zip(found.answers, found.truncated, strict=True), start=start + 1
            ):
                writer.writerow([row, *_iterate_cells(answer, models), int(cut)])
            truncated += sum(found.truncated)
            tokens += found.token_count
            check_throughput(
                min(start + ROWS_PER_CHUNK, len(texts)), len(texts), time.monotonic() - started
            )
    return WrittenRows(len(texts), truncated, tokens)


def check_throughput(rows_done: int, rows_total: int, seconds: float) -> None:
    """Raises InvalidValue, with what would be possible, where at this pace the caller would not
    wait for the end.
    """
    if seconds * rows_total > CLASSIFICATION_LIMIT_S * rows_done:
        raise InvalidValue(
            f"This model classifies {rows_done / seconds:.1f} of these rows a second at "
            "present, and a request has "
            f"{CLASSIFICATION_LIMIT_S / 60:.0f} minutes; "
            "split the file into parts of up to "
            f"{int(CLASSIFICATION_LIMIT_S * rows_done / seconds):,} rows.",
            param="input_file",
        )


def _build_header(models: AnsweringModels) -> list[str]:
    apart = ["vote_entropy", "score_std"] if len(models.members) > 1 else []
    return [
        "row",
        "predicted",
        *(f"p({name})" for name in models.task.label_names),
        *apart,
        "truncated",
    ]


def _iterate_cells(answer: "Answer", models: AnsweringModels) -> Iterator[ResultCell]:
    predicted = format_prediction(answer.predicted, models.task.label_names)
    yield LABEL_SEPARATOR.join(predicted) if isinstance(predicted, list) else predicted
    if models.task.type is not TaskType.REGRESSION:
        yield from answer.scores
    if answer.disagreement is not None:
        yield answer.disagreement.vote_entropy
        yield answer.disagreement.score_std


def _store_results(services: AppServices, path: Path) -> File:
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    file = File(
        id=ids.file_id(),
        owner_id=services.owner_id,
        filename=path.name,
        purpose=RESULTS_PURPOSE,
        bytes=path.stat().st_size,
        sha256=sha256,
        status="processed",
    )
    with services.database.write() as session:
        hold_digest(
            session, sha256
        )  # so that nobody deletes these bytes with the last other file that has them
        services.storage.put_file(file_key(sha256), path)
        Files(session, services.owner_id).add(file)
    return file
