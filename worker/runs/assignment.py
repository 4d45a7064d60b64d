"""A claimed run with its job and files, and what the trainer needs of them on local disk."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.db.runs import Lease
from shared.db.tables import File, Job, Model, Run
from shared.domain.errors import ServiceError
from shared.domain.states import Purpose
from shared.domain.stored import dump_stored
from shared.infra.model_cache import fetch_cached_folder
from shared.infra.storage_errors import BlobMissing
from shared.infra.storage_keys import build_artifacts_prefix, build_file_key
from worker.context import WorkerContext


def get_model_prefix(run: Run) -> str:
    """Return the storage prefix of the run's model.

    Once a run's model is published, its artifacts are that model alone.
    """
    return str(run.artifacts) if run.fine_tuned_model is not None else f"{run.artifacts}/model"


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
    teachers: Sequence[Run] = ()
    """The runs whose mean prediction a distillation learns."""

    @property
    def artifacts_prefix(self) -> str:
        """Storage prefix of this attempt's artifacts.

        It contains the fence, so that a worker that lost its lease cannot overwrite the artifacts
        of the next attempt.
        """
        return f"{build_artifacts_prefix(self.run.id)}/{self.lease.fence}"

    def get_output_folder(self, context: WorkerContext) -> Path:
        return context.settings.resolved_cache_dir / "runs" / f"{self.run.id}-{self.lease.fence}"

    def get_state_folder(self, context: WorkerContext) -> Path:
        """Return the local folder of the resume state.

        It lies beside the output folder, because everything in the output folder is uploaded.
        """
        folder = self.get_output_folder(context)
        return folder.with_name(f"{folder.name}.state")

    def prepare_data_fields(
        self, context: WorkerContext, base_model: Path, base_model_sha256: str
    ) -> dict[str, Any]:
        """Fetch the job's files and return the fields that all of its runs share.

        ``base_model`` is the folder of the model, with its digest. Raises DataMissing, storage
        errors or OSError.
        """
        return {
            "base_model": str(base_model),
            "base_model_name": self.job.model,
            "base_model_sha256": base_model_sha256,
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
            "teachers": self._fetch_teachers(context),
            "unlabelled_file": self._fetch_unlabelled_file(context),
        }

    def _fetch_unlabelled_file(self, context: WorkerContext) -> dict[str, str] | None:
        """Fetch the texts that only a distillation reads. Raises DataMissing or storage errors."""
        if self.run.purpose != Purpose.DISTILLATION:
            return None
        return self._fetch_file(context, self.job.unlabelled_file, "unlabelled_file")

    def _fetch_teachers(self, context: WorkerContext) -> list[str]:
        """Fetch the teachers' models and return their local folders. Raises DataMissing."""
        models = {run.id: get_model_prefix(run) for run in self.teachers if run.artifacts}
        missing = [run_id for run_id in self.run.teachers or [] if run_id not in models]
        if missing:
            raise DataMissing(f"The model of run {missing[0]}, which was to be distilled, is gone.")
        return [str(fetch_published_model(context, prefix)) for prefix in models.values()]

    def _create_output_folder(self, context: WorkerContext) -> Path:
        output = self.get_output_folder(context)
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        return output

    def delete_folders(self, context: WorkerContext) -> None:
        """Delete the run's folders on this machine."""
        for folder in (self.get_output_folder(context), self.get_state_folder(context)):
            shutil.rmtree(folder, ignore_errors=True)

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


def fetch_published_model(context: WorkerContext, prefix: str) -> Path:
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
