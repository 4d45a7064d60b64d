"""Making the published artefacts of a job: the model folder with its card, model.zip, metrics.csv and predictions.csv.

Everything is stored under keys that follow from the content or the job, so that a second try makes the same again.
"""

import csv
import hashlib
import json
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader

from shared import ids
from shared.db.metrics import Metrics
from shared.db.tables import File, Job, Model, Run
from shared.job_report import full_report
from shared.names import model_id
from shared.report import StabilityReport
from shared.report.wording import baseline_title
from shared.states import RunState
from shared.storage import file_key
from worker.parts import WorkerParts

RESULTS = "fine-tune-results"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time in the archive: equal content gives equal bytes


@dataclass(frozen=True)
class Published:
    model: Model
    files: list[File]


def publish(parts: WorkerParts, job: Job, runs: Sequence[Run], best: Run, fence: int) -> Published:
    """Store the artefacts; the rows that name them are the caller's to commit. Raises BlobMissing, OSError, storage errors.

    ``runs`` with their results; ``fence`` keeps the scratch folder apart from that of a publisher thought dead.
    """
    folder = parts.settings.resolved_cache_dir / "publish" / f"{job.id}-{fence}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return _publish(parts, job, runs, best, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(parts: WorkerParts, job: Job, runs: Sequence[Run], best: Run, folder: Path) -> Published:
    identifier = model_id(job.model, job.owner_id, job.suffix, job.id)
    model = folder / "model"
    parts.storage.fetch_folder(f"{best.artifacts}/model", model)
    with parts.database.read() as session:
        report = full_report(session, job, runs).model_copy(update={"fine_tuned_model": identifier})
    (model / "README.md").write_text(model_card(identifier, job, report, best), encoding="utf-8")
    (model / "evenkeel.json").write_text(_provenance(job, report, best), encoding="utf-8")
    prefix = f"models/{job.id}"
    parts.storage.put_folder(prefix, model)
    made = [
        _write_metrics(parts, runs, folder / "metrics.csv"),
        _write_predictions(parts, job, runs, folder / "predictions.csv"),
        _zip(model, folder / "model.zip"),
    ]
    row = Model(
        id=identifier,
        owner_id=job.owner_id,
        job_id=job.id,
        run_id=best.id,
        base_model=job.model,
        prefix=prefix,
        labels=job.task["label_names"],
    )
    return Published(row, [_store(parts, job, path) for path in made])


def model_card(identifier: str, job: Job, report: StabilityReport, best: Run) -> str:
    """The folder's README: how to use it, the report over all seeds, the recipe, the data."""
    environment = Environment(
        loader=PackageLoader("worker"), autoescape=False, trim_blocks=False, keep_trailing_newline=True
    )
    environment.filters["score"] = lambda value: "–" if value is None else f"{value:.4f}"
    environment.filters["baseline"] = baseline_title
    environment.filters["cell"] = lambda text: str(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
    pair = job.task["text_pair_column"] is not None
    example = '{"text": "first text", "text_pair": "second text"}' if pair else '"a text"'
    template = environment.get_template("model_card.md.j2")
    return template.render(model_id=identifier, job=job, run=best, report=report, example=example)


def _provenance(job: Job, report: StabilityReport, best: Run) -> str:
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


def _write_metrics(parts: WorkerParts, runs: Sequence[Run], path: Path) -> Path:
    """A row a run and step, a column a series; empty where a series has no point at the step. One run at a time in memory."""
    with parts.database.read() as session, path.open("w", encoding="utf-8", newline="") as target:
        metrics = Metrics(session)
        recorded = metrics.names([run.id for run in runs])
        first = ["train_loss", "learning_rate", "grad_norm", "valid_loss"]
        names = first + sorted(recorded - set(first))
        writer = csv.writer(target)
        writer.writerow(["step", *names, "run_id", "seed"])
        for run in runs:
            rows: dict[int, dict[str, float]] = defaultdict(dict)
            for point in metrics.of_run(run.id):
                rows[point.step][point.name] = point.value
            for step, row in sorted(rows.items()):
                writer.writerow([step, *(row.get(name, "") for name in names), run.id, run.seed])
    return path


def _write_predictions(parts: WorkerParts, job: Job, runs: Sequence[Run], path: Path) -> Path:
    """Every succeeded run's predictions with its chosen checkpoint: a row a run and evaluated text."""
    columns = ["run_id", "seed", "split", "row", "label", "predicted"]
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow([*columns, *(f"p({name})" for name in job.task["label_names"])])
        for run in runs:
            if run.status != RunState.SUCCEEDED or run.artifacts is None:
                continue
            content = b"".join(parts.storage.stream(f"{run.artifacts}/predictions.json"))
            for row in json.loads(content)["rows"]:
                cells = [row[name] for name in columns[2:]]
                writer.writerow([run.id, run.seed, *cells, *row["probabilities"]])
    return path


def _zip(folder: Path, path: Path) -> Path:
    """Stored, not deflated: weights do not compress, and it would take longer than the training of a small job."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH)
                entry.external_attr = 0o644 << 16
                with file.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, 1024 * 1024)
    return path


def _store(parts: WorkerParts, job: Job, path: Path) -> File:
    with path.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    parts.storage.put_file(file_key(sha256), path)
    return File(
        id=ids.file_id(),
        owner_id=job.owner_id,
        filename=path.name,
        purpose=RESULTS,
        bytes=path.stat().st_size,
        sha256=sha256,
        status="processed",
    )
