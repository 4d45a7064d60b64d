"""Making the published artefacts of a job: the model folder with its card, model.zip,
metrics.csv and predictions.csv.

Everything is stored under keys that follow from the content or the job, so that a second try
makes the same again.
"""

import csv
import hashlib
import json
import logging
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader
from sqlalchemy import delete
from sqlalchemy.orm import Session

from shared.datasets.labels import LABEL_SEPARATOR
from shared.db.metrics import Metrics
from shared.db.tables import File, Job, Model, Run
from shared.domain import ids
from shared.domain.naming import kept_model_id, model_id
from shared.domain.states import RunState
from shared.domain.task import TaskType
from shared.infra.storage import BlobMissing, file_key
from shared.report import StabilityReport
from shared.report.builder import build_full_report
from shared.report.formatting import format_baseline_title
from worker.context import WorkerContext

log = logging.getLogger(__name__)
RESULTS_PURPOSE = "fine-tune-results"
_ZIP_TIMESTAMP = (
    1980,
    1,
    1,
    0,
    0,
    0,
)  # a fixed time in the archive: equal content gives equal bytes


@dataclass(frozen=True)
class PublishedArtifacts:
    model: Model | None
    """None where the job keeps no model."""
    other_models: list[Model]
    """Of the other runs that succeeded, where the job keeps all of them."""
    files: list[File]


def publish_artifacts(
    context: WorkerContext, job: Job, runs: Sequence[Run], best: Run, fence: int
) -> PublishedArtifacts:
    """Store the artefacts; the rows that name them are the caller's to commit. Raises
    BlobMissing, OSError, storage errors.

    ``runs`` with their results; ``fence`` keeps the scratch folder apart from that of a
    publisher thought dead.
    """
    folder = context.settings.resolved_cache_dir / "publish" / f"{job.id}-{fence}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return _build_artifacts(context, job, runs, best, folder, fence)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _build_artifacts(
    context: WorkerContext, job: Job, runs: Sequence[Run], best: Run, folder: Path, fence: int
) -> PublishedArtifacts:
    metrics = _write_metrics(context, runs, folder / "metrics.csv")
    if _get_keep_policy(job) == "none":
        return PublishedArtifacts(None, [], [_store_file(context, job, metrics)])
    identifier = model_id(job.model, job.owner_id, job.suffix, job.id)
    model = folder / "model"
    context.storage.fetch_folder(_get_model_prefix(best), model)
    with context.database.read() as session:
        report = build_full_report(session, job, runs).model_copy(
            update={"fine_tuned_model": identifier}
        )
    (model / "README.md").write_text(
        render_model_card(identifier, job, report, best), encoding="utf-8"
    )
    (model / "evenkeel.json").write_text(_format_provenance(job, report, best), encoding="utf-8")
    prefix = f"models/{job.id}-{fence}"  # never written twice: what is being read stays whole
    context.storage.take_folder(prefix, model)
    made = [
        metrics,
        _write_predictions(context, job, runs, folder / "predictions.csv"),
        _write_zip(model, folder / "model.zip"),
    ]
    others = [
        _build_model_row(
            job,
            run,
            kept_model_id(identifier, run.init_seed, run.data_seed, run.fold),
            _get_model_prefix(run),
        )
        for run in (runs if _get_keep_policy(job) == "all_runs" else [])
        if run.artifacts is not None and run.id != best.id
    ]
    return PublishedArtifacts(
        _build_model_row(job, best, identifier, prefix),
        others,
        [_store_file(context, job, path) for path in made],
    )


def _get_keep_policy(job: Job) -> str:
    """Which models outlive the job."""
    return str(job.request.get("artifacts", {}).get("keep", "best_run"))


def _get_model_prefix(run: Run) -> str:
    """Storage prefix of the run's model; once it is published, its artefacts are that alone."""
    return str(run.artifacts) if run.fine_tuned_model is not None else f"{run.artifacts}/model"


def _build_model_row(job: Job, run: Run, identifier: str, prefix: str) -> Model:
    return Model(
        id=identifier,
        owner_id=job.owner_id,
        job_id=job.id,
        run_id=run.id,
        base_model=job.model,
        prefix=prefix,
        labels=job.task["label_names"],
    )


def replace_published(session: Session, job: Job, published: PublishedArtifacts) -> None:
    """Store the rows of what was published, in the place of what an extended job had published
    before.
    """
    models = [model for model in (published.model, *published.other_models) if model is not None]
    session.execute(
        delete(Model).where(Model.job_id == job.id, Model.id.not_in([model.id for model in models]))
    )
    for model in models:
        session.merge(model)
    session.execute(delete(File).where(File.id.in_(job.result_files)))
    session.add_all(published.files)
    job.fine_tuned_model = None if published.model is None else published.model.id
    job.result_files = [file.id for file in published.files]
    session.flush()


def render_model_card(identifier: str, job: Job, report: StabilityReport, best: Run) -> str:
    """The folder's README: how to use it, the report over all seeds, the recipe, the data."""
    environment = Environment(
        loader=PackageLoader("worker"),
        autoescape=False,
        trim_blocks=False,
        keep_trailing_newline=True,
    )
    environment.filters["score"] = lambda value: "–" if value is None else f"{value:.4f}"
    environment.filters["baseline"] = format_baseline_title
    environment.filters["cell"] = lambda text: (
        str(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
    )
    pair = job.task["text_pair_column"] is not None
    example = '{"text": "first text", "text_pair": "second text"}' if pair else '"a text"'
    template = environment.get_template("model_card.md.j2")
    return template.render(
        model_id=identifier, job=job, run=best, report=report, example=example, kinds=TaskType
    )


def _format_provenance(job: Job, report: StabilityReport, best: Run) -> str:
    facts = {
        "job_id": job.id,
        "run_id": best.id,
        "base_model": job.model,
        "task": job.task,
        "split": job.split,
        "recipe": job.resolved_recipe,
        "init_seed": best.init_seed,
        "data_seed": best.data_seed,
        "weights_sha256": best.weights_sha256,
        "environment": best.environment,
        "report": report.model_dump(mode="json"),
    }
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


_OPENAI_COLUMNS = ("train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy")
"""What scripts written for the hosted API look for. The accuracy on training batches is not
measured, so its column is empty; a label counts as the one token of the answer.
"""


def _write_metrics(context: WorkerContext, runs: Sequence[Run], path: Path) -> Path:
    """A row a run and step, a column a series; empty where a series has no point at the step.
    One run at a time in memory.
    """
    with context.database.read() as session, path.open("w", encoding="utf-8", newline="") as target:
        metrics = Metrics(session)
        recorded = metrics.names([run.id for run in runs])
        first = [*_OPENAI_COLUMNS, "learning_rate", "grad_norm"]
        names = first + sorted(recorded - set(first))
        writer = csv.writer(target)
        writer.writerow(["step", *names, *_build_identity_cells(runs)])
        for run in runs:
            rows: dict[int, dict[str, float]] = defaultdict(dict)
            for point in metrics.of_run(run.id):
                rows[point.step][point.name] = point.value
                if point.name == "valid_accuracy":
                    rows[point.step]["valid_mean_token_accuracy"] = point.value
            for step, row in sorted(rows.items()):
                writer.writerow(
                    [
                        step,
                        *(row.get(name, "") for name in names),
                        *_build_identity_cells(runs, run),
                    ]
                )
    return path


def _write_predictions(context: WorkerContext, job: Job, runs: Sequence[Run], path: Path) -> Path:
    """Every succeeded run's predictions with its chosen checkpoint: a row a run and evaluated
    text. Names of several labels are joined as in the CSV files that such a task is trained
    on.
    """
    of_row = ["split", "row", "label", "predicted"]
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(
            [
                *_build_identity_cells(runs),
                *of_row,
                *(f"p({name})" for name in job.task["label_names"]),
            ]
        )
        for run in runs:
            content = _load_predictions(context, run) if run.status == RunState.SUCCEEDED else None
            for row in json.loads(content)["rows"] if content is not None else []:
                cells = [
                    LABEL_SEPARATOR.join(cell) if isinstance(cell := row[name], list) else cell
                    for name in of_row
                ]
                writer.writerow([*_build_identity_cells(runs, run), *cells, *row["probabilities"]])
    return path


def _load_predictions(context: WorkerContext, run: Run) -> bytes | None:
    """As the run has written them; kept apart from its weights, for the day that the job is
    extended. Older versions kept none.
    """
    key = f"predictions/{run.id}.json"
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
    """The columns that tell a run in a result file, or this run's cells in them: its fold too
    where the job is k-fold.
    """
    columns = (
        ["id", "seed", "fold"] if any(run.fold is not None for run in runs) else ["id", "seed"]
    )
    if run is None:
        return ["run_id", *columns[1:]]
    return [getattr(run, column) for column in columns]


def _write_zip(folder: Path, path: Path) -> Path:
    """Stored, not deflated: weights do not compress, and it would take longer than the training
    of a small job.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _ZIP_TIMESTAMP)
                entry.external_attr = 0o644 << 16
                with (
                    file.open("rb") as source,
                    archive.open(entry, "w", force_zip64=True) as target,
                ):
                    shutil.copyfileobj(source, target, 1024 * 1024)
    return path


def _store_file(context: WorkerContext, job: Job, path: Path) -> File:
    with path.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    context.storage.take_file(file_key(sha256), path)
    return File(
        id=ids.file_id(),
        owner_id=job.owner_id,
        filename=path.name,
        purpose=RESULTS_PURPOSE,
        bytes=path.stat().st_size,
        sha256=sha256,
        status="processed",
    )
