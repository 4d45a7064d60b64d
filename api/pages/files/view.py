"""What the pages of files show besides the files themselves."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from api.files.schemas import FileObject
from shared.encoders.uploaded import MODEL_PURPOSE


class FileKind(StrEnum):
    """What the list of files can be limited to: the purposes of files."""

    ANY = ""
    DATA = "fine-tune"
    OTHER_DATA = "user_data"
    MODEL = "model"
    RESULT = "fine-tune-results"


class FileOrder(StrEnum):
    """Orders of the list of files."""

    NEWEST = "-created"
    OLDEST = "created"


KIND_NAMES: Final[Mapping[str, str]] = {
    FileKind.ANY: "any",
    FileKind.DATA: "data set",
    FileKind.OTHER_DATA: "user data",
    FileKind.MODEL: "model",
    FileKind.RESULT: "result of a job",
}
UPLOAD_PURPOSES: Final = (FileKind.DATA, FileKind.MODEL)


def name_kind(file: FileObject) -> str:
    """Name the kind of a file in words."""
    return KIND_NAMES.get(file.purpose, file.purpose)


def is_model(file: FileObject) -> bool:
    return file.purpose == MODEL_PURPOSE
