"""The local folder of the model that claimed runs start from, downloaded first if need be.

A hub model has usually been downloaded before its runs were queued, by
``worker.maintenance.model_fetcher``. Here it is missing on a machine with a disk of its own.
"""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.runs import Runs
from shared.db.tables import File, Job
from shared.domain.errors import BaseModelChanged, HubNotReachable
from shared.domain.hub_model import HubModel
from shared.domain.ids import FILE_PREFIX, is_id
from shared.domain.naming import FINE_TUNED_PREFIX
from shared.encoders.archive.unpacking import unpack_archive
from shared.encoders.catalogue import Catalogue
from shared.encoders.hub.download import fetch_model
from shared.encoders.hub.progress import DownloadProgress
from shared.encoders.model_digest import compute_model_digest
from shared.encoders.validation.errors import UnfitModel
from shared.infra.checkpoint_cache import fetch_checkpoint_folder
from shared.infra.storage_errors import BlobMissing
from worker.app import is_shutting_down
from worker.context import WorkerContext
from worker.db_retry import retry_while_unavailable, write_with_retry
from worker.runs.assignment import Assignment, DataMissing, fetch_published_model
from worker.runs.outcomes import MachineUnfit, StopReason

FLAGS_INTERVAL_S = 0.5


class DownloadStopped(Exception):
    """Every run that waits for the download is to stop; ``reasons`` are by run id."""

    def __init__(self, reasons: dict[str, StopReason]) -> None:
        super().__init__(reasons)
        self.reasons = reasons


def find_base_model_folder(context: WorkerContext, assignments: Sequence[Assignment]) -> Path:
    """Return the folder of the model that runs of one job start from.

    Raises DataMissing, ModelNotAllowed, HubNotAllowed, MachineUnfit if the hub does not answer,
    DownloadStopped, storage errors or OSError.
    """
    first = assignments[0]
    job = first.job
    if is_id(job.model, FILE_PREFIX):
        return _fetch_uploaded_model(context, first.files.get(job.model), job.model)
    if job.model.startswith(FINE_TUNED_PREFIX):
        if first.base_model is None:
            raise DataMissing(
                f"Model {job.model} was deleted or replaced since the job was created. Start "
                "a new job from another model.",
                param="model",
            )
        return fetch_published_model(context, first.base_model.prefix)
    if job.hub_model is not None:
        return _fetch_hub_model(context, assignments, job.hub_model)
    catalogue = Catalogue(context.settings.model_folders)
    folder = catalogue.get_folder(job.model)
    catalogue.get_facts(job.model)  # the folder may have changed since the job was created
    return folder


def _fetch_uploaded_model(context: WorkerContext, file: File | None, model: str) -> Path:
    """Return the local folder of an uploaded model, and unpack it on the first call."""
    if file is None or file.model is None:
        raise DataMissing(
            f"The uploaded model {model} was deleted. Upload it again and create a new job.",
            param="model",
        )
    unpack = partial(unpack_archive, max_bytes=file.model.unpacked_bytes)
    try:
        return fetch_checkpoint_folder(context.settings, context.storage, file.sha256, unpack)
    except BlobMissing:
        raise DataMissing(
            f"The content of the uploaded model {file.id} is missing from the storage or was "
            "changed there. Upload it again and create a new job.",
            param="model",
        ) from None


def _fetch_hub_model(
    context: WorkerContext, assignments: Sequence[Assignment], model: HubModel
) -> Path:
    watch = _DownloadWatch(context, assignments, model)
    try:
        return fetch_model(context.settings, model, watch.report)
    except HubNotReachable as error:  # another machine may have the model
        raise MachineUnfit(error.message) from error


def require_pinned_model(context: WorkerContext, job: Job, folder: Path) -> str:
    """Return the digest of the job's base model, which the first worker records if the API had
    no copy of it. Raises BaseModelChanged if the folder has another model, and OSError.
    """
    try:
        found = compute_model_digest(folder)
    except UnfitModel as unfit:
        raise MachineUnfit(f"{job.model} {unfit.reason}") from None
    pinned = job.base_model_sha256 or write_with_retry(
        context.database, lambda session: Jobs(session).pin_base_model(job.id, found)
    )
    if found != pinned:
        raise BaseModelChanged(job.model, job.id)
    return found


class _DownloadWatch:
    """Reports a download in the job's events, and stops it when no run needs it any more."""

    def __init__(
        self, context: WorkerContext, assignments: Sequence[Assignment], model: HubModel
    ) -> None:
        self._context = context
        self._assignments = assignments
        self._progress = DownloadProgress(model)
        self._next_look = 0.0

    def report(self, received: int) -> None:
        """Raise DownloadStopped if every run is to stop."""
        sentence = self._progress.describe(received)
        if sentence is not None:
            job = self._assignments[0].job
            write_with_retry(
                self._context.database, lambda session: Events(session).add(job, sentence)
            )
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + FLAGS_INTERVAL_S
        reasons = retry_while_unavailable(self._read_stop_reasons)
        if len(reasons) == len(self._assignments):
            raise DownloadStopped(reasons)

    def _read_stop_reasons(self) -> dict[str, StopReason]:
        """Return why runs are to stop; runs that still need the model are left out."""
        leases = [assignment.lease for assignment in self._assignments]
        with self._context.database.read() as session:
            flags = Runs(session).get_flags(leases)
        reasons = {}
        for lease in leases:
            flag = flags.get(lease.run_id)
            if flag is None:
                reasons[lease.run_id] = StopReason.LEASE_LOST
            elif flag.cancel:
                reasons[lease.run_id] = StopReason.CANCELLED
            elif flag.pause:
                reasons[lease.run_id] = StopReason.PAUSED
            elif is_shutting_down():
                reasons[lease.run_id] = StopReason.SHUTDOWN
        return reasons
