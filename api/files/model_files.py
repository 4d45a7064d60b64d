"""The check of an uploaded model, in a process of its own."""

from pathlib import Path

from api.dependencies import AppServices
from shared.datasets.errors import ReadingLimitExceeded
from shared.db.tables import File
from shared.encoders.archive.errors import ArchiveTooLarge
from shared.encoders.uploaded import UploadedModel, unpack_checkpoint


def check_model_file(services: AppServices, file: File, archive: Path, folder: Path) -> None:
    """Unpack the archive into a new folder, check the model, and set its properties on the row.

    Raises UnusableArchive, UnsupportedMediaType for a file that is no archive, and
    ServiceUnavailable if the disk is full.
    """
    limit = services.settings.max_model_bytes
    try:
        file.model = services.readers.run(unpack_checkpoint, archive, folder, limit)
    except ReadingLimitExceeded:
        raise ArchiveTooLarge(
            "The archive could not be unpacked and checked within the time and memory for one "
            "file. Put a smaller model, or the folder itself, below EVENKEEL_MODEL_DIRS."
        ) from None
    file.status_details = _describe_model(file.model)


def _describe_model(model: UploadedModel) -> str:
    parameters = "" if model.parameters is None else f" with {model.parameters:,} parameters"
    return f"Model of the family {model.family}{parameters}."
