"""A claimed run made ready to train: its rows read, its files on local disk, an empty folder for what it makes."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.db.runs import Hold
from shared.db.tables import File, Job, Model, Run
from shared.domain.errors import ServiceError
from shared.domain.naming import FINE_TUNED
from shared.domain.states import Purpose
from shared.encoders.catalogue import Catalogue
from shared.infra.model_cache import fetched_folder
from shared.infra.storage import BlobMissing, file_key
from worker.context import WorkerParts


class DataMissing(ServiceError):
    """The job's file is not in the database or the storage any more."""


@dataclass(frozen=True)
class Assignment:
    job: Job
    run: Run
    hold: Hold
    files: dict[str, File]
    base: Model | None = None
    """The fine-tuned model that the job starts from, if it is one."""

    @property
    def artifacts(self) -> str:
        """Storage prefix of what this attempt makes; the fence in it keeps a lost worker from overwriting its successor's."""
        return f"runs/{self.run.id}/{self.hold.fence}"

    def folder(self, parts: WorkerParts) -> Path:
        return parts.settings.resolved_cache_dir / "runs" / f"{self.run.id}-{self.hold.fence}"

    def state_folder(self, parts: WorkerParts) -> Path:
        """What the run goes on from, on this machine; beside the folder, all of which is stored."""
        folder = self.folder(parts)
        return folder.with_name(f"{folder.name}.state")

    def data(self, parts: WorkerParts) -> dict[str, Any]:
        """What is the same for every run of the job, all files it names being on this machine.

        Raises DataMissing, ModelNotAllowed, or what the storage and the disk raise.
        """
        return {
            "base_model": str(self._base_model(parts)),
            "task": self.job.task,
            "metric": self.job.metric,
            "training_file": self._local(parts, self.job.training_file, "training_file"),
            "validation_file": self._local(parts, self.job.validation_file, "validation_file"),
            "test_file": self._local(parts, self.job.test_file, "test_file"),
            "split": self.job.split,
            "threads": self.job.threads,
            "device": parts.device,
        }

    def own(self, parts: WorkerParts) -> dict[str, Any]:
        """What is this run's alone; makes its empty folder. Raises as ``data`` does."""
        output = self.folder(parts)
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        return {
            "run_id": self.run.id,
            "recipe": self.run.recipe or self.job.resolved_recipe,
            "fold": self.run.fold,
            "init_seed": self.run.init_seed,
            "data_seed": self.run.data_seed,
            "output": str(output),
            "export": self.run.purpose != Purpose.PILOT,
            "stop_step": self.run.stop_step,
            "state": self._state(parts),
        }

    def leave_nothing(self, parts: WorkerParts) -> None:
        """Delete its folders on this machine."""
        for folder in (self.folder(parts), self.state_folder(parts)):
            shutil.rmtree(folder, ignore_errors=True)

    def _base_model(self, parts: WorkerParts) -> Path:
        if not self.job.model.startswith(FINE_TUNED):
            return Catalogue(parts.settings.model_folders).folder(self.job.model)
        if self.base is None:
            raise DataMissing(f"The model {self.job.model} was deleted.", param="model")
        return published_folder(parts, self.base.prefix)

    def _state(self, parts: WorkerParts) -> str | None:
        if self.run.state is None:
            return None
        folder = self.state_folder(parts)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            parts.storage.fetch_folder(self.run.state, folder)
        except BlobMissing:
            raise DataMissing(
                f"What the run goes on from, {self.run.state}, is not in the storage."
            ) from None
        return str(folder)

    def _local(self, parts: WorkerParts, file_id: str | None, param: str) -> dict[str, str] | None:
        """None for a file that the job has not."""
        if file_id is None:
            return None
        file = self.files.get(file_id)
        if file is None:
            raise DataMissing(f"File {file_id} was deleted.", param=param)
        path = parts.settings.resolved_cache_dir / "files" / file.sha256
        if not path.exists():
            try:
                parts.storage.fetch(file_key(file.sha256), path)
            except BlobMissing:
                raise DataMissing(
                    f"The content of {file_id} is not in the storage.", param=param
                ) from None
        path.touch()  # in use: not to be cleared away as an old copy
        return {"path": str(path), "filename": file.filename}


def published_folder(parts: WorkerParts, prefix: str) -> Path:
    """A published model's folder on this machine, fetched when first asked for. Raises DataMissing."""
    try:
        return fetched_folder(parts.settings, parts.storage, prefix)
    except BlobMissing:
        raise DataMissing(
            f"The model stored as {prefix} is not in the storage.", param="model"
        ) from None
