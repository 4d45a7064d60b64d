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
from shared.infra.storage import build_file_key
from shared.report.builder import build_full_report
from worker.context import WorkerContext
from worker.jobs.model_card import format_provenance, render_model_card
from worker.jobs.result_files import write_metrics, write_predictions, write_zip

RESULTS_PURPOSE = "fine-tune-results"


@dataclass(frozen=True)
class PublishedArtifacts:
    """Rows of the stored artifacts, not yet in the database."""

    model: Model | None
    """None if the job keeps no model."""
    other_models: list[Model]
    """Models of the other succeeded runs, if the job keeps all of them."""
    files: list[File]


def publish_artifacts(
    context: WorkerContext, job: Job, runs: Sequence[Run], best: Run, fence: int
) -> PublishedArtifacts:
    """Store the job's artifacts and return their rows for the caller to commit.

    ``runs`` must be loaded with their results. The ``fence`` keeps the scratch folder apart from
    that of a worker that lost the job. Raises BlobMissing, OSError, storage errors.
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
    metrics = write_metrics(context, runs, folder / "metrics.csv")
    if _get_keep_policy(job) == "none":
        return PublishedArtifacts(None, [], [_store_file(context, job, metrics)])
    identifier = build_model_id(job.model, job.owner_id, job.suffix, job.id)
    model = folder / "model"
    context.storage.fetch_folder(_get_model_prefix(best), model)
    with context.database.read() as session:
        report = build_full_report(session, job, runs).model_copy(
            update={"fine_tuned_model": identifier}
        )
    (model / "README.md").write_text(
        render_model_card(identifier, job, report, best), encoding="utf-8"
    )
    (model / "evenkeel.json").write_text(format_provenance(job, report, best), encoding="utf-8")
    prefix = f"models/{job.id}-{fence}"  # unique, so that readers never see a partial update
    context.storage.link_or_put_folder(prefix, model)
    result_files = [
        metrics,
        write_predictions(context, job, runs, folder / "predictions.csv"),
        write_zip(model, folder / "model.zip"),
    ]
    others = [
        _build_model_row(
            job,
            run,
            build_kept_model_id(identifier, run.init_seed, run.data_seed, run.fold),
            _get_model_prefix(run),
        )
        for run in (runs if _get_keep_policy(job) == "all_runs" else [])
        if run.artifacts is not None and run.id != best.id
    ]
    return PublishedArtifacts(
        _build_model_row(job, best, identifier, prefix),
        others,
        [_store_file(context, job, path) for path in result_files],
    )


def _get_keep_policy(job: Job) -> str:
    """Return which models the job keeps: ``best_run``, ``all_runs`` or ``none``."""
    return job.request.artifacts.keep


def _get_model_prefix(run: Run) -> str:
    """Return the storage prefix of the run's model.

    Once a run's model is published, its artifacts are that model alone.
    """
    return str(run.artifacts) if run.fine_tuned_model is not None else f"{run.artifacts}/model"


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
    models = [model for model in (published.model, *published.other_models) if model is not None]
    delete_other_models(session, job.id, [model.id for model in models])
    for model in models:
        session.merge(model)
    delete_files(session, job.result_files)
    session.add_all(published.files)
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
