"""One bad upload and the error that it must be answered with."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.shared.datasets.files import REVIEWS, csv_bytes

GOOD_CSV = csv_bytes(REVIEWS)


@dataclass(frozen=True)
class BadUpload:
    name: str
    filename: str
    build: Callable[[], bytes]
    status: int
    code: str

    @cached_property
    def content(self) -> bytes:
        return self.build()


def write(upload: BadUpload, folder: Path) -> Path:
    path = folder / "upload"
    path.write_bytes(upload.content)
    return path
