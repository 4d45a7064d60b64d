"""A claimed run with its job and files, and what the trainer needs of them on local disk."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.db.runs import Lease
from shared.db.tables import File, Job, Model, Run
from shared.domain.errors import ServiceError
from shared.domain.naming import FINE_TUNED_PREFIX
from shared.domain.states import Purpose
from shared.domain.stored import dump_stored
from shared.encoders.catalogue import Catalogue
from shared.infra.model_cache import fetch_cached_folder
from shared.infra.storage import BlobMissing, build_file_key
from worker.context import WorkerContext


class DataMissing(ServiceError):
    """A file, model or resume state of the job was deleted from the database or the storage."""


@dataclass(frozen=True)
class Assignment:
    job: Job
    run: Run
    lease: Lease
    files: dict[str, File]
    base_model: Model | None = None
    """The fine-tuned model that the job starts from; None if it starts from a base model."""

    @property
    def artifacts_prefix(self) -> str:
        """Storage prefix of this attempt's artifacts.

        It contains the fence, so that a worker that lost its lease cannot overwrite the artifacts
        of the next attempt.
        """
        return f"runs/{self.run.id}/{self.lease.fence}"

    def get_output_folder(self, context: WorkerContext) -> Path:
        return context.settings.resolved_cache_dir / "runs" / f"{self.run.id}-{self.lease.fence}"

    def get_state_folder(self, context: WorkerContext) -> Path:
        """Return the local folder of the resume state.

        It lies beside the output folder, because everything in the output folder is uploaded.
        """
        folder = self.get_output_folder(context)
        return folder.with_name(f"{folder.name}.state")

    def prepare_data_fields(self, context: WorkerContext) -> dict[str, Any]:
        """Fetch the job's files and return the fields that all of its runs share.

        Raises DataMissing, ModelNotAllowed, storage errors or OSError.
        """
        return {
            "base_model": str(self._find_base_model_folder(context)),
            "task": dump_stored(self.job.task),
            "metric": self.job.metric,
            "training_file": self._fetch_file(context, self.job.training_file, "training_file"),
            "validation_file": self._fetch_file(
                context, self.job.validation_file, "validation_file"
            ),
            "test_file": self._fetch_file(context, self.job.test_file, "test_file"),
            "split": dump_stored(self.job.split),
            "threads": self.job.threads,
            "device": context.device,
        }

    def prepare_run_fields(self, context: WorkerContext) -> dict[str, Any]:
        """Create the empty output folder and return the fields that belong to this run only.

        Raises DataMissing, storage errors or OSError.
        """
        recipe = self.run.recipe or self.job.resolved_recipe
        output = self._create_output_folder(context)
        return {
            "run_id": self.run.id,
            "recipe": None if recipe is None else dump_stored(recipe),
            "fold": self.run.fold,
            "init_seed": self.run.init_seed,
            "data_seed": self.run.data_seed,
            "output": str(output),
            "export": self.run.purpose != Purpose.PILOT,
            "stop_step": self.run.stop_step,
            "state": self._fetch_resume_state(context),
        }

    def _create_output_folder(self, context: WorkerContext) -> Path:
        output = self.get_output_folder(context)
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        return output

    def delete_folders(self, context: WorkerContext) -> None:
        """Delete the run's folders on this machine."""
        for folder in (self.get_output_folder(context), self.get_state_folder(context)):
            shutil.rmtree(folder, ignore_errors=True)

    def _find_base_model_folder(self, context: WorkerContext) -> Path:
        if not self.job.model.startswith(FINE_TUNED_PREFIX):
            return Catalogue(context.settings.model_folders).get_folder(self.job.model)
        if self.base_model is None:
            raise DataMissing(
                f"Model {self.job.model} was deleted. Start a new job from another model.",
                param="model",
            )
        return fetch_base_model(context, self.base_model.prefix)

    def _fetch_resume_state(self, context: WorkerContext) -> str | None:
        if self.run.state is None:
            return None
        folder = self.get_state_folder(context)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            context.storage.fetch_folder(self.run.state, folder)
        except BlobMissing:
            raise DataMissing(
                f"The run's resume state {self.run.state} is missing from the storage."
            ) from None
        return str(folder)

    def _fetch_file(
        self, context: WorkerContext, file_id: str | None, param: str
    ) -> dict[str, str] | None:
        """Fetch the file; return its local path and name, or None if the job has no such file."""
        if file_id is None:
            return None
        file = self.files.get(file_id)
        if file is None:
            raise DataMissing(
                f"File {file_id} was deleted. Upload it again and create a new job.", param=param
            )
        path = context.settings.resolved_cache_dir / "files" / file.sha256
        _fetch_content(context, file, path, param)
        path.touch()  # keeps the garbage collection from deleting the copy as unused
        return {"path": str(path), "filename": file.filename}


def fetch_base_model(context: WorkerContext, prefix: str) -> Path:
    """Return the local folder of a published model, and fetch it on the first call.

    Raises DataMissing.
    """
    try:
        return fetch_cached_folder(context.settings, context.storage, prefix)
    except BlobMissing:
        raise DataMissing(
            f"The model stored at {prefix} is missing from the storage.", param="model"
        ) from None


def _fetch_content(context: WorkerContext, file: File, path: Path, param: str) -> None:
    """Fetch the file's content, unless it is cached. Raises DataMissing."""
    try:
        if not path.exists():
            context.storage.fetch(build_file_key(file.sha256), path)
    except BlobMissing:
        raise DataMissing(
            f"The content of file {file.id} is missing from the storage. Upload it again and "
            "create a new job.",
            param=param,
        ) from None
