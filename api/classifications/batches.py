"""Classification of a whole file into a result file."""

import csv
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api.classifications.batch_texts import read_texts
from api.classifications.loaded_models import ClassifiedTexts, EnsembleModels
from api.classifications.schemas import BatchObject, BatchRequest, RequestCounts
from api.classifications.service import find_ensemble, format_prediction
from api.dependencies import AppServices
from api.files.service import fetch_table_source, read_stored_file
from api.serving.pass_work import Requester
from shared.datasets.labels import LABEL_SEPARATOR
from shared.db.files import Files
from shared.db.locks import lock_name
from shared.db.owner_limits import lock_owner_usage
from shared.db.tables import File
from shared.domain import ids
from shared.domain.csv_cells import disarm_formula
from shared.domain.errors import InvalidValue
from shared.domain.task import Task, TaskType
from shared.domain.wording import format_count
from shared.infra.storage_keys import build_file_key
from shared.timings import CLASSIFICATION_LIMIT_S

if TYPE_CHECKING:  # numpy and onnxruntime are loaded on first use
    from api.serving.classifier import Text
    from api.serving.predictions import Prediction

RESULTS_PURPOSE = "fine-tune-results"
ROWS_PER_CHUNK = 1000
ResultCell = str | int | float | None


@dataclass(frozen=True)
class WrittenRows:
    row_count: int
    truncated_count: int
    token_count: int


def classify_file(
    services: AppServices, request: BatchRequest, is_gone: Callable[[], bool]
) -> BatchObject:
    """Classify the rows of a file and store the predictions as a new file, unless the client
    ``is_gone``.

    Raises FileNotFound, InvalidValue for a file that does not fit the model's task, and what
    ``service.classify_inputs`` raises.
    """
    started = time.time()
    models = find_ensemble(services, request.model, ensemble=request.ensemble)
    texts = _read_input_file(services, request, models.task)
    requester = Requester(services.owner_id, is_gone)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "classifications.csv"
        written = _write_results(services, models, texts, path, requester)
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
    with fetch_table_source(services, file, header, param="input_file") as source:
        return read_stored_file(services, source, read_texts, task, request)


def _write_results(
    services: AppServices,
    models: EnsembleModels,
    texts: "Sequence[Text]",
    path: Path,
    requester: Requester,
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
                models.members, models.task, texts[start : start + ROWS_PER_CHUNK], requester
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
            f"split it into parts of up to {format_count(fitting_rows, 'row')}.",
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
    text = LABEL_SEPARATOR.join(predicted) if isinstance(predicted, list) else predicted
    yield disarm_formula(text) if isinstance(text, str) else text
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
        lock_name(session, sha256)
        lock_owner_usage(session, services.owner_id, services.settings).require_room_for_file(
            file.bytes
        )
        services.storage.put_file(build_file_key(sha256), path)
        Files(session, services.owner_id).add(file)
    return file
