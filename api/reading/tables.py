"""Tasks on one table, for a reading process: read the file, then use its rows."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from shared.datasets import Limits, Table, UnreadableFile, read_table
from shared.domain.errors import InvalidValue, UnsupportedMediaType
from shared.domain.task import Header

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class TableSource:
    """A stored file's copy on this machine's disk, and how to read it."""

    file_id: str
    path: Path
    filename: str
    header: Header
    limits: Limits
    param: str
    """Field of the request that names the file or the header setting."""

    def read(self) -> Table:
        """Read the table. Raises InvalidValue if that is impossible with these settings."""
        try:
            return read_table(self.path, self.filename, header=self.header, limits=self.limits)
        except (UnreadableFile, UnsupportedMediaType) as error:
            raise self.build_error(error.message) from None

    def build_error(self, reason: str) -> InvalidValue:
        return InvalidValue(
            f"File {self.file_id} cannot be read with these settings: {reason}", param=self.param
        )


def use_table(
    source: TableSource, use: Callable[Concatenate[Table, P], R], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Read the table and return what ``use`` makes of it."""
    return use(source.read(), *args, **kwargs)
