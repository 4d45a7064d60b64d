"""Classification of a whole file into a result file."""

import csv
import hashlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api.classifications.loaded_models import ClassifiedTexts
from api.classifications.schemas import BatchObject, BatchRequest, RequestCounts
from api.classifications.service import EnsembleModels, find_ensemble, format_prediction
from api.dependencies import AppServices
from api.files.service import open_table
from shared.datasets import Table
from shared.datasets.columns import find_column
from shared.datasets.labels import LABEL_SEPARATOR
from shared.datasets.readers.cells import ListCell
from shared.datasets.task_checks import check_cells, check_readable_rows, format_row_numbers
from shared.db.files import Files, lock_digest
from shared.db.tables import File
from shared.domain import ids
from shared.domain.errors import InvalidValue
from shared.domain.task import ColumnReference, Task, TaskType
from shared.infra.storage import build_file_key
from shared.timings import CLASSIFICATION_LIMIT_S

if TYPE_CHECKING:  # numpy and onnxruntime are loaded on first use
    from api.serving.classifier import Text
    from api.serving.predictions import Prediction

RESULTS_PURPOSE = "fine-tune-results"
MAX_ROWS = 20_000  # a request lasts until all rows are done: two minutes at 170 texts a second
ROWS_PER_CHUNK = 1000
ResultCell = str | int | float | None


@dataclass(frozen=True)
class WrittenRows:
    row_count: int
    truncated_count: int
    token_count: int


def classify_file(services: AppServices, request: BatchRequest) -> BatchObject:
    """Classify the rows of a file and store the predictions as a new file.

    Raises FileNotFound, InvalidValue for a file that does not fit the model's task, and what
    ``service.classify_inputs`` raises.
    """
    started = time.time()
    models = find_ensemble(services, request.model, ensemble=request.ensemble)
    texts = _read_input_file(services, request, models.task)
    with services.model_server.admit_request(), tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "classifications.csv"
        written = _write_results(services, models, texts, path)
        result = _store_results(services, path)
    return BatchObject(
        id=ids.make_classification_batch_id(),
        created_at=int(started),
        completed_at=int(time.time()),
        model=request.model,
        members=[member.id for member in models.members],
        input_file_id=request.input_file,
        output_file_id=result.id,
        request_counts=RequestCounts(
            total=written.row_count, completed=written.row_count, failed=0
        ),
        truncated=written.truncated_count,
        tokens=written.token_count,
    )


def _read_input_file(services: AppServices, request: BatchRequest, task: Task) -> "list[Text]":
    with services.database.read() as session:
        file = Files(session, services.owner_id).get(request.input_file, param="input_file")
    header = task.header if request.header is None else request.header
    with open_table(services, file, header, param="input_file") as table:
        return _read_texts(table, task, request)


def _read_texts(table: Table, task: Task, request: BatchRequest) -> "list[Text]":
    """Return every row's text or pair of texts. Raises InvalidValue with row numbers."""
    check_readable_rows(table, "input_file")
    _check_row_count(table.total_rows)
    first = _read_column(table, request.text_column or task.text_column, "text_column")
    if task.text_pair_column is None:
        if request.text_pair_column is not None:
            raise InvalidValue(
                "This model was trained on single texts; leave out text_pair_column.",
                param="text_pair_column",
            )
        return list(first)
    second = _read_column(
        table, request.text_pair_column or task.text_pair_column, "text_pair_column"
    )
    return list(zip(first, second, strict=True))


def _check_row_count(row_count: int) -> None:
    if row_count > MAX_ROWS:
        raise InvalidValue(
            f"The file has {row_count:,} rows, but the limit is {MAX_ROWS:,}; split it.",
            param="input_file",
        )


def _read_column(table: Table, column: ColumnReference, param: str) -> Sequence[str]:
    index = find_column(column, table, param)
    check_cells(table, index, param)
    cells = table.get_cells(index)
    empty_positions = [
        position
        for position, cell in enumerate(cells)
        if isinstance(cell, ListCell) or not cell.strip()
    ]
    if empty_positions:
        raise InvalidValue(
            f"{format_row_numbers(table, empty_positions)} no text in this column; "
            "add the text or remove the rows.",
            param=param,
        )
    return cells


def _write_results(
    services: AppServices, models: EnsembleModels, texts: "Sequence[Text]", path: Path
) -> WrittenRows:
    """Write one row per input row, as in a job's predictions.csv.

    Raises InvalidValue if the file cannot be classified before the client's timeout.
    """
    truncated_count = token_count = 0
    started = time.monotonic()
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(_build_header(models))
        for start in range(0, len(texts), ROWS_PER_CHUNK):
            classified = services.model_server.classify_texts(
                models.members, models.task, texts[start : start + ROWS_PER_CHUNK]
            )
            writer.writerows(_iterate_result_rows(classified, models, first_row=start + 1))
            truncated_count += sum(classified.truncated)
            token_count += classified.token_count
            check_throughput(
                min(start + ROWS_PER_CHUNK, len(texts)), len(texts), time.monotonic() - started
            )
    return WrittenRows(len(texts), truncated_count, token_count)


def check_throughput(rows_done: int, rows_total: int, seconds: float) -> None:
    """Raise InvalidValue if at this throughput the client times out before the last row."""
    if seconds * rows_total > CLASSIFICATION_LIMIT_S * rows_done:
        fitting_rows = int(CLASSIFICATION_LIMIT_S * rows_done / seconds)
        raise InvalidValue(
            f"At {rows_done / seconds:.1f} rows per second the file takes longer than the limit of "
            f"{CLASSIFICATION_LIMIT_S / 60:.0f} minutes per request; "
            f"split it into parts of up to {fitting_rows:,} rows.",
            param="input_file",
        )


def _build_header(models: EnsembleModels) -> list[str]:
    disagreement = ["vote_entropy", "score_std"] if len(models.members) > 1 else []
    return [
        "row",
        "predicted",
        *(f"p({name})" for name in models.task.label_names),
        *disagreement,
        "truncated",
    ]


def _iterate_result_rows(
    classified: ClassifiedTexts, models: EnsembleModels, *, first_row: int
) -> Iterator[list[ResultCell]]:
    pairs = zip(classified.predictions, classified.truncated, strict=True)
    for row, (prediction, truncated) in enumerate(pairs, start=first_row):
        yield [row, *_iterate_cells(prediction, models), int(truncated)]


def _iterate_cells(prediction: "Prediction", models: EnsembleModels) -> Iterator[ResultCell]:
    predicted = format_prediction(prediction.predicted, models.task.label_names)
    yield LABEL_SEPARATOR.join(predicted) if isinstance(predicted, list) else predicted
    if models.task.type is not TaskType.REGRESSION:
        yield from prediction.scores
    if prediction.disagreement is not None:
        yield prediction.disagreement.vote_entropy
        yield prediction.disagreement.score_std


def _store_results(services: AppServices, path: Path) -> File:
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    file = File(
        id=ids.make_file_id(),
        owner_id=services.owner_id,
        filename=path.name,
        purpose=RESULTS_PURPOSE,
        bytes=path.stat().st_size,
        sha256=sha256,
        status="processed",
    )
    with services.database.write() as session:
        # locked, so that no deletion of another file with the same content removes these bytes
        lock_digest(session, sha256)
        services.storage.put_file(build_file_key(sha256), path)
        Files(session, services.owner_id).add(file)
    return file
