"""The artifacts of a job at its end: publish from what the storage has, delete the rest."""

from collections.abc import Sequence

from shared.db.files import is_digest_used
from shared.db.jobs import Jobs
from shared.db.locks import lock_name
from shared.db.tables import Job, Model, Run
from shared.domain.states import Purpose
from shared.domain.wording import join_words
from shared.infra.storage_keys import build_artifacts_prefix, build_file_key
from shared.report.builder import find_best_run
from worker.context import WorkerContext
from worker.db_retry import write_with_retry
from worker.jobs.publish import JobRuns, PublishedArtifacts, publish_artifacts
from worker.jobs.retries import MAX_ADVANCE_ATTEMPTS, AdvanceInterrupted, ArtifactsMissing
from worker.runs.assignment import get_model_prefix


def publish_model(
    context: WorkerContext, job: Job, runs: Sequence[Run], distillations: Sequence[Run], fence: int
) -> PublishedArtifacts | None:
    """Publish a model, or return None if no main run has artifacts. Raises OSError and others."""
    # a run has no artifacts if its published model has been deleted
    stored = [run for run in runs if run.artifacts is not None]
    if not stored:
        return None
    if job.publish_attempts > MAX_ADVANCE_ATTEMPTS:
        raise AdvanceInterrupted
    _forget_lost_artifacts(context, job, [*stored, *distillations])
    best = find_best_run([run for run in stored if run.artifacts is not None])
    if best is None:
        raise ArtifactsMissing([run.index for run in stored])
    return publish_artifacts(context, job, JobRuns(runs, best, distillations), fence)


def _forget_lost_artifacts(context: WorkerContext, job: Job, runs: Sequence[Run]) -> None:
    """Publish from what is there: take from these rows the artifacts that the storage has lost,
    as after the restore of an older copy, and warn of it.
    """
    lost = [
        run
        for run in runs
        if run.artifacts is not None and not any(context.storage.list(get_model_prefix(run)))
    ]
    if not lost:
        return
    for run in lost:
        run.artifacts = None
    numbers = [str(run.index) for run in lost if run.purpose == Purpose.MAIN]
    if not numbers:
        return  # a distillation: the publication says that there is none
    message = (
        f"The storage has lost the models of these runs: {join_words(numbers)}. Their scores are "
        "kept; to have the models, train them again in a clone of the job."
    )
    write_with_retry(
        context.database,
        lambda session: Jobs(session).add_warning(job.id, "artifacts_missing", message),
    )


def delete_unused_artifacts(
    context: WorkerContext,
    run_ids: Sequence[str],
    earlier_models: Sequence[Model],
    kept_models: Sequence[Model],
) -> None:
    """Delete artifacts that no row refers to; the garbage collection deletes any missed here."""
    kept_prefixes = {model.prefix for model in kept_models}
    for run_id in run_ids:
        context.storage.delete_prefix(build_artifacts_prefix(run_id), kept_prefixes=kept_prefixes)
    for prefix in {model.prefix for model in earlier_models} - kept_prefixes:
        context.storage.delete_prefix(prefix)


def delete_unused_contents(context: WorkerContext, digests: Sequence[str]) -> None:
    """Delete the contents of an earlier publication's result files that no file has now."""
    for sha256 in digests:
        with context.database.write() as session:
            lock_name(session, sha256)
            if not is_digest_used(session, sha256):
                context.storage.delete(build_file_key(sha256))
