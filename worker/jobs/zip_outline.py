"""The outline of a zip file of a folder: its headers, written by zipfile without the contents.

The contents are not compressed: weights do not shrink, and deflating them takes longer than
training a small job. So they are the stored files themselves, and nothing is stored twice.
"""

import hashlib
import io
import zipfile
from pathlib import Path

from shared.domain.zip_outline import ZipOutline, ZippedFile

_ZIP_TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # constant, so that equal content gives equal bytes
_CHUNK_BYTES = 1024 * 1024


def build_zip_outline(folder: Path) -> ZipOutline:
    """Build the outline of a zip file of every file below the folder, by name.

    It reads each file once, for its checksum. The same folder has the same outline.
    """
    recorder, files = _HeaderRecorder(), []
    with zipfile.ZipFile(recorder, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder).as_posix()
            start = recorder.tell()
            _add_file(archive, recorder, name, path)
            header = recorder.get_bytes(start)
            files.append(
                ZippedFile(header=header, name=name, bytes=recorder.tell() - start - len(header))
            )
        directory_start = recorder.tell()
    return ZipOutline(files=tuple(files), directory=recorder.get_bytes(directory_start))


def hash_zip(outline: ZipOutline, folder: Path) -> str:
    """Return the SHA-256 of the whole zip file of the folder, in hexadecimal."""
    digest = hashlib.sha256()
    for file in outline.files:
        digest.update(file.header)
        with (folder / file.name).open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
    digest.update(outline.directory)
    return digest.hexdigest()


def _add_file(archive: zipfile.ZipFile, recorder: "_HeaderRecorder", name: str, path: Path) -> None:
    entry = zipfile.ZipInfo(name, _ZIP_TIMESTAMP)
    entry.external_attr = 0o644 << 16
    # the header is written again at the end, with the size and the checksum
    with archive.open(entry, "w", force_zip64=True) as target, path.open("rb") as source:
        recorder.is_skipping = True
        while chunk := source.read(_CHUNK_BYTES):
            target.write(chunk)
        recorder.is_skipping = False


class _HeaderRecorder(io.RawIOBase):
    """A file that counts all bytes, and keeps only those that are written between the contents."""

    def __init__(self) -> None:
        super().__init__()
        self.is_skipping = False
        self._position = 0
        self._pieces: dict[int, bytes] = {}

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        size = len(data)
        if size and not self.is_skipping:
            self._pieces[self._position] = bytes(data)
        self._position += size
        return size

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only positions from the start")
        self._position = offset
        return offset

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def get_bytes(self, start: int) -> bytes:
        """Return the kept bytes from ``start`` to the next content."""
        pieces = []
        while (piece := self._pieces.get(start)) is not None:
            pieces.append(piece)
            start += len(piece)
        return b"".join(pieces)
