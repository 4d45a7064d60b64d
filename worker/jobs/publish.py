"""Publication of a job's artifacts: the model folder with its card, and the result files.

Every storage key follows from the content or the job, so a second attempt stores the same
objects again.
"""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from shared.db.files import delete_files
from shared.db.models import delete_other_models
from shared.db.tables import File, Job, Model, Run
from shared.domain import ids
from shared.domain.naming import build_kept_model_id, build_model_id
from shared.domain.publication import Publication
from shared.infra.storage_keys import build_file_key, build_model_prefix
from shared.report.builder import build_full_report
from worker.context import WorkerContext
from worker.jobs.model_card import format_provenance, render_model_card
from worker.jobs.publication import decide_publication
from worker.jobs.result_files import write_metrics, write_predictions
from worker.jobs.zip_outline import build_zip_outline, hash_zip
from worker.runs.assignment import get_model_prefix

RESULTS_PURPOSE = "fine-tune-results"


@dataclass(frozen=True)
class PublishedArtifacts:
    """Rows of the stored artifacts, not yet in the database."""

    model: Model | None
    """None if the job keeps no model."""
    other_models: list[Model]
    """Models of the other succeeded runs, or of the ensemble's, if the job keeps them."""
    files: list[File]
    publication: Publication


@dataclass(frozen=True)
class JobRuns:
    """The runs of a job that a publication chooses from, loaded with their results."""

    main: Sequence[Run]
    best: Run
    """The best of the main runs by validation score."""
    distillations: Sequence[Run] = ()

    def find_published(self, publication: Publication) -> Run:
        """Return the run whose model is published: the distillation, or the best main run."""
        distilled = publication.distilled
        if publication.kind != "distilled" or distilled is None:
            return self.best
        return next(run for run in self.distillations if run.id == distilled.run_id)


def publish_artifacts(
    context: WorkerContext, job: Job, runs: JobRuns, fence: int
) -> PublishedArtifacts:
    """Store the job's artifacts and return their rows for the caller to commit.

    The ``fence`` keeps the scratch folder apart from
    that of a worker that lost the job. Raises BlobMissing, OSError, storage errors.
    """
    folder = context.settings.resolved_cache_dir / "publish" / f"{job.id}-{fence}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return _build_artifacts(context, job, runs, folder, fence)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _build_artifacts(
    context: WorkerContext, job: Job, runs: JobRuns, folder: Path, fence: int
) -> PublishedArtifacts:
    metrics = write_metrics(context, runs.main, folder / "metrics.csv")
    publication = decide_publication(
        context, job, runs.main, runs.distillations, _measure_model(context, runs.best)
    )
    if publication.kind is None:
        return PublishedArtifacts(None, [], [_store_file(context, job, metrics)], publication)
    published_run = runs.find_published(publication)
    identifier = build_model_id(job.model, job.owner_id, job.suffix, job.id)
    model = folder / "model"
    context.storage.fetch_folder(get_model_prefix(published_run), model)
    with context.database.read() as session:
        report = build_full_report(session, job, runs.main, publication=publication).model_copy(
            update={"fine_tuned_model": identifier}
        )
    (model / "README.md").write_text(
        render_model_card(identifier, job, report, published_run), encoding="utf-8"
    )
    (model / "evenkeel.json").write_text(
        format_provenance(job, report, published_run), encoding="utf-8"
    )
    prefix = build_model_prefix(job.id, fence)
    context.storage.link_or_put_folder(prefix, model)
    result_files = [
        metrics,
        write_predictions(context, job, runs.main, folder / "predictions.csv"),
    ]
    return PublishedArtifacts(
        _build_model_row(job, published_run, identifier, prefix),
        [
            _build_model_row(
                job,
                run,
                build_kept_model_id(identifier, run.init_seed, run.data_seed, run.fold),
                get_model_prefix(run),
            )
            for run in _list_kept_runs(job, runs.main, publication)
            if run.id != published_run.id
        ],
        [
            *(_store_file(context, job, path) for path in result_files),
            _build_zip_file(job, model, prefix),
        ],
        publication,
    )


def _list_kept_runs(job: Job, runs: Sequence[Run], publication: Publication) -> list[Run]:
    """List the runs whose models stay: all that have one, the ensemble's members, or none but the
    best.
    """
    stored = [run for run in runs if run.artifacts is not None]
    if job.request.artifacts.keep == "all_runs":
        return stored
    if publication.kind == "ensemble" and publication.ensemble is not None:
        return [run for run in stored if run.id in publication.ensemble.run_ids]
    return []


def _measure_model(context: WorkerContext, run: Run) -> int:
    """Return the number of bytes of the run's stored model."""
    return sum(blob.bytes for blob in context.storage.list(get_model_prefix(run)))


def _build_model_row(job: Job, run: Run, identifier: str, prefix: str) -> Model:
    return Model(
        id=identifier,
        owner_id=job.owner_id,
        job_id=job.id,
        run_id=run.id,
        base_model=job.model,
        prefix=prefix,
        labels=job.task.label_names,
    )


def replace_published(session: Session, job: Job, published: PublishedArtifacts) -> None:
    """Store the published rows in place of those of an earlier publication of the job."""
    # the published model last: models are listed newest first
    models = [model for model in (*published.other_models, published.model) if model is not None]
    delete_other_models(session, job.id, [model.id for model in models])
    for model in models:
        session.merge(model)
    delete_files(session, job.result_files)
    session.add_all(published.files)
    job.publication = published.publication
    job.fine_tuned_model = None if published.model is None else published.model.id
    job.result_files = [file.id for file in published.files]
    session.flush()


def _store_file(context: WorkerContext, job: Job, path: Path) -> File:
    with path.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    context.storage.link_or_put_file(build_file_key(sha256), path)
    return File(
        id=ids.make_file_id(),
        owner_id=job.owner_id,
        filename=path.name,
        purpose=RESULTS_PURPOSE,
        bytes=path.stat().st_size,
        sha256=sha256,
        status="processed",
    )


def _build_zip_file(job: Job, model: Path, prefix: str) -> File:
    """Build the row of model.zip, whose content is the stored folder: nothing is stored twice."""
    outline = build_zip_outline(model)
    return File(
        id=ids.make_file_id(),
        owner_id=job.owner_id,
        filename="model.zip",
        purpose=RESULTS_PURPOSE,
        bytes=outline.count_bytes(),
        sha256=hash_zip(outline, model),
        folder=prefix,
        zip_outline=outline,
        status="processed",
    )
