"""The result files of a job that are tables: metrics.csv and predictions.csv."""

import csv
import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from shared.datasets.labels import LABEL_SEPARATOR
from shared.db.metrics import Metrics
from shared.db.tables import Job, Run
from shared.domain.csv_cells import disarm_formula
from shared.domain.states import RunState
from shared.infra.storage_errors import BlobMissing
from shared.infra.storage_keys import build_predictions_key
from worker.context import WorkerContext

log = logging.getLogger(__name__)

_OPENAI_COLUMNS = ("train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy")
"""Columns that scripts for the hosted API expect. The accuracy on training batches is not
measured, so its column is empty; a label counts as the one token of the answer.
"""
_PREDICTION_COLUMNS = ("split", "row", "label", "predicted")


def write_metrics(context: WorkerContext, runs: Sequence[Run], path: Path) -> Path:
    """Write metrics.csv: a row for each run and step, a column for each series.

    A cell is empty if the series has no point at the step. Only one run is in memory at a time.
    """
    with context.database.read() as session, path.open("w", encoding="utf-8", newline="") as target:
        metrics = Metrics(session)
        recorded = metrics.list_names([run.id for run in runs])
        leading = [*_OPENAI_COLUMNS, "learning_rate", "grad_norm"]
        names = leading + sorted(recorded - set(leading))
        writer = csv.writer(target)
        writer.writerow(["step", *names, *_build_identity_cells(runs)])
        for run in runs:
            identity = _build_identity_cells(runs, run)
            for step, values in _read_values_by_step(metrics, run):
                writer.writerow([step, *(values.get(name, "") for name in names), *identity])
    return path


def _read_values_by_step(metrics: Metrics, run: Run) -> list[tuple[int, dict[str, float]]]:
    values: dict[int, dict[str, float]] = defaultdict(dict)
    for point in metrics.list_points(run.id):
        values[point.step][point.name] = point.value
        if point.name == "valid_accuracy":
            values[point.step]["valid_mean_token_accuracy"] = point.value
    return sorted(values.items())


def write_predictions(context: WorkerContext, job: Job, runs: Sequence[Run], path: Path) -> Path:
    """Write predictions.csv: a row for each succeeded run and evaluated text.

    The predictions are those of the run's checkpoint. Several labels of a text are joined as in a
    training file. A label that a spreadsheet would compute has an apostrophe before it.
    """
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        probabilities = [f"p({name})" for name in job.task.label_names]
        writer.writerow([*_build_identity_cells(runs), *_PREDICTION_COLUMNS, *probabilities])
        for run in runs:
            content = load_predictions(context, run) if run.status == RunState.SUCCEEDED else None
            identity = _build_identity_cells(runs, run)
            for row in json.loads(content)["rows"] if content is not None else []:
                cells = [_format_cell(row[name]) for name in _PREDICTION_COLUMNS]
                writer.writerow([*identity, *cells, *row["probabilities"]])
    return path


def _format_cell(value: str | float | list[str]) -> str | float:
    text = LABEL_SEPARATOR.join(value) if isinstance(value, list) else value
    return disarm_formula(text) if isinstance(text, str) else text


def load_predictions(context: WorkerContext, run: Run) -> bytes | None:
    """Return the run's predictions.json, or None if an older version did not keep it.

    A copy is stored apart from the run's artifacts, because an extended job publishes again.
    """
    key = build_predictions_key(run.id)
    if run.artifacts is not None and run.fine_tuned_model is None:
        content = b"".join(context.storage.stream(f"{run.artifacts}/predictions.json"))
        context.storage.put_bytes(key, content)
        return content
    try:
        return b"".join(context.storage.stream(key))
    except BlobMissing:
        log.warning("predictions_missing run=%s", run.id)
        return None


def _build_identity_cells(runs: Sequence[Run], run: Run | None = None) -> list[str | int | None]:
    """Return the names of the columns that identify a run, or the run's cells in them.

    A k-fold job has a column for the fold as well.
    """
    columns = (
        ["id", "seed", "fold"] if any(run.fold is not None for run in runs) else ["id", "seed"]
    )
    if run is None:
        return ["run_id", *columns[1:]]
    return [getattr(run, column) for column in columns]
