"""A whole file classified: its rows read by the columns that the model was trained on, the answers written to a result file."""

import csv
import hashlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api.classifications.schemas import BatchObject, BatchRequest, RequestCounts
from api.classifications.service import Asked, asked, named
from api.dependencies import Parts
from api.files.service import opened
from shared.datasets import Table
from shared.datasets.columns import locate
from shared.datasets.labels import JOINT
from shared.datasets.readers.cells import ListCell
from shared.datasets.task_resolution import places, refuse_problems
from shared.db.files import Files, hold_digest
from shared.db.tables import File
from shared.domain import ids
from shared.domain.errors import InvalidValue
from shared.domain.task import Column, Task, TaskType
from shared.infra.storage import file_key

if TYPE_CHECKING:  # numpy and onnxruntime are loaded by whoever first asks a model
    from api.serving.answers import Answer
    from api.serving.classifier import Text

RESULTS = "fine-tune-results"
MAX_ROWS = 20_000  # the request is answered when all are: two minutes at 170 texts a second
ROWS_AT_ONCE = 1000
PATIENCE_S = 540.0  # the official client's is ten minutes
Cell = str | int | float | None


@dataclass(frozen=True)
class Written:
    rows: int
    truncated: int
    tokens: int


def classify_file(parts: Parts, request: BatchRequest) -> BatchObject:
    """Raises FileNotFound, InvalidValue for a file that does not fit the model's task, and as ``service.classify`` does."""
    started = time.time()
    who = asked(parts, request.model, ensemble=request.ensemble)
    with parts.database.read() as session:
        source = Files(session, parts.owner_id).get(request.input_file, param="input_file")
    header = who.task.header if request.header is None else request.header
    with opened(parts, source, header, param="input_file") as table:
        texts = _texts(table, who.task, request)
    with parts.serving.admitted(), tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "classifications.csv"
        written = _write(parts, who, texts, path)
        result = _store(parts, path)
    return BatchObject(
        id=ids.classification_batch_id(),
        created_at=int(started),
        completed_at=int(time.time()),
        model=request.model,
        members=[member.id for member in who.members],
        input_file_id=source.id,
        output_file_id=result.id,
        request_counts=RequestCounts(total=written.rows, completed=written.rows, failed=0),
        truncated=written.truncated,
        tokens=written.tokens,
    )


def _texts(table: Table, task: Task, request: BatchRequest) -> "list[Text]":
    """Every row's text, or pair of texts. Raises InvalidValue with row numbers."""
    refuse_problems(table, "input_file")
    if table.total_rows > MAX_ROWS:
        raise InvalidValue(
            f"{table.total_rows:,} rows are more than one request classifies ({MAX_ROWS:,}); split the file.",
            param="input_file",
        )
    first = _column(table, request.text_column or task.text_column, "text_column")
    if task.text_pair_column is None:
        if request.text_pair_column is not None:
            raise InvalidValue(
                "This model was trained on single texts, not pairs.", param="text_pair_column"
            )
        return list(first)
    second = _column(table, request.text_pair_column or task.text_pair_column, "text_pair_column")
    return list(zip(first, second, strict=True))


def _column(table: Table, column: Column, param: str) -> Sequence[str]:
    cells = table.cells(locate(column, table, param))
    unfit = [
        position
        for position, cell in enumerate(cells)
        if isinstance(cell, ListCell) or not cell.strip()
    ]
    if unfit:
        raise InvalidValue(
            f"{places(table, unfit)} no text in this column; fill it in or leave the row out.",
            param=param,
        )
    return cells


def _write(parts: Parts, who: Asked, texts: "Sequence[Text]", path: Path) -> Written:
    """A row an input row, as predictions.csv of a job has them. Raises InvalidValue for more than can be answered in time."""
    truncated = tokens = 0
    started = time.monotonic()
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(_header(who))
        for start in range(0, len(texts), ROWS_AT_ONCE):
            found = parts.serving.answers(
                who.members, who.task, texts[start : start + ROWS_AT_ONCE]
            )
            for row, (answer, cut) in enumerate(
                zip(found.answers, found.truncated, strict=True), start=start + 1
            ):
                writer.writerow([row, *_cells(answer, who), int(cut)])
            truncated += sum(found.truncated)
            tokens += found.tokens
            refuse_too_slow(
                min(start + ROWS_AT_ONCE, len(texts)), len(texts), time.monotonic() - started
            )
    return Written(len(texts), truncated, tokens)


def refuse_too_slow(done: int, rows: int, seconds: float) -> None:
    """Raises InvalidValue, with what would be possible, where at this pace the caller would not wait for the end."""
    if seconds * rows > PATIENCE_S * done:
        raise InvalidValue(
            f"This model classifies {done / seconds:.1f} of these rows a second at present, and a request has "
            f"{PATIENCE_S / 60:.0f} minutes; "
            f"split the file into parts of up to {int(PATIENCE_S * done / seconds):,} rows.",
            param="input_file",
        )


def _header(who: Asked) -> list[str]:
    apart = ["vote_entropy", "score_std"] if len(who.members) > 1 else []
    return [
        "row",
        "predicted",
        *(f"p({name})" for name in who.task.label_names),
        *apart,
        "truncated",
    ]


def _cells(answer: "Answer", who: Asked) -> Iterator[Cell]:
    predicted = named(answer.predicted, who.task.label_names)
    yield JOINT.join(predicted) if isinstance(predicted, list) else predicted
    if who.task.type is not TaskType.REGRESSION:
        yield from answer.scores
    if answer.disagreement is not None:
        yield answer.disagreement.vote_entropy
        yield answer.disagreement.score_std


def _store(parts: Parts, path: Path) -> File:
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    file = File(
        id=ids.file_id(),
        owner_id=parts.owner_id,
        filename=path.name,
        purpose=RESULTS,
        bytes=path.stat().st_size,
        sha256=sha256,
        status="processed",
    )
    with parts.database.write() as session:
        hold_digest(
            session, sha256
        )  # so that nobody deletes these bytes with the last other file that has them
        parts.storage.put_file(file_key(sha256), path)
        Files(session, parts.owner_id).add(file)
    return file
