"""A claimed run made ready to train: its rows read, its files on local disk, an empty folder for what it makes."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from obstore.exceptions import BaseError as StorageError

from shared.catalogue import Catalogue
from shared.db.runs import Hold
from shared.db.tables import File, Job, Run
from shared.errors import ModelNotAllowed, ServiceError
from shared.storage import BlobMissing, file_key
from worker.parts import WorkerParts

SPARE_BYTES = 256 * 1024 * 1024  # beyond the copies of the weights that a run makes
WEIGHT_COPIES = 3  # best weights in the scratch folder, in the storage, and the published model


class DataMissing(ServiceError):
    """The job's file is not in the database or the storage any more."""


class NotHere(Exception):
    """This machine cannot train the run at present (disk, base model, storage); another, or a later try, may."""


@dataclass(frozen=True)
class Assignment:
    job: Job
    run: Run
    hold: Hold
    files: dict[str, File]

    @property
    def artifacts(self) -> str:
        """Storage prefix of what this attempt makes; the fence in it keeps a lost worker from overwriting its successor's."""
        return f"runs/{self.run.id}/{self.hold.fence}"

    def folder(self, parts: WorkerParts) -> Path:
        return parts.settings.resolved_cache_dir / "runs" / f"{self.run.id}-{self.hold.fence}"

    def specification(self, parts: WorkerParts) -> dict[str, Any]:
        """The RunSpec as JSON, everything it names being on this machine. Raises NotHere, or DataMissing for good."""
        try:
            return self._prepared(parts)
        except ModelNotAllowed as error:
            raise NotHere(error.message) from error
        except (StorageError, OSError) as error:
            raise NotHere(
                f"Preparing the run failed ({type(error).__name__}); the worker's log has the details."
            ) from error

    def _prepared(self, parts: WorkerParts) -> dict[str, Any]:
        base_model = Catalogue(parts.settings.model_folders).folder(self.job.model)
        _check_room(parts.settings.resolved_cache_dir, base_model)
        output = self.folder(parts)
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        return {
            "run_id": self.run.id,
            "base_model": str(base_model),
            "task": self.job.task,
            "recipe": self.job.resolved_recipe,
            "metric": self.job.metric,
            "training_file": self._local(parts, self.job.training_file, "training_file"),
            "validation_file": self._local(parts, self.job.validation_file, "validation_file"),
            "test_file": self._local(parts, self.job.test_file, "test_file"),
            "split": self.job.split,
            "fold": self.run.fold,
            "init_seed": self.run.init_seed,
            "data_seed": self.run.data_seed,
            "threads": self.job.threads,
            "device": parts.device,
            "output": str(output),
        }

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
                raise DataMissing(f"The content of {file_id} is not in the storage.", param=param) from None
        path.touch()  # in use: not to be cleared away as an old copy
        return {"path": str(path), "filename": file.filename}


def _check_room(folder: Path, base_model: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    needed = WEIGHT_COPIES * (base_model / "model.safetensors").stat().st_size + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NotHere(f"A run needs {needed >> 20} MB of free disk for its weights, and there are {free >> 20} MB.")
