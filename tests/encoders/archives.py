"""Zip archives of models, as users and attackers make them."""

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

Member = tuple[str | zipfile.ZipInfo, bytes]


def zip_folder(folder: Path, prefix: str = "") -> bytes:
    """Pack a model's folder, below ``prefix`` in the archive."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return zip_members(
        [(f"{prefix}{file.relative_to(folder).as_posix()}", file.read_bytes()) for file in files]
    )


def zip_members(members: Sequence[Member], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Pack members in this order; names may be repeated and are written as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            info.compress_type = compression
            archive.writestr(info, content)
    return buffer.getvalue()


def build_link(name: str, target: str) -> Member:
    """Build a symbolic link, as zip tools on Unix store one."""
    return build_special(name, 0o120777, target.encode())


def build_special(name: str, mode: int, content: bytes = b"") -> Member:
    """Build an entry with a Unix mode, such as that of a pipe or a device."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info, content


def rename_members(archive: bytes, names: Mapping[bytes, bytes]) -> bytes:
    """Replace names by others of equal length, in the headers of files and in the list."""
    for old, new in names.items():
        assert len(old) == len(new)
        archive = archive.replace(old, new)
    return archive


def set_flag(archive: bytes, flag: int) -> bytes:
    """Set a general purpose flag of every entry, as of an encrypted one."""
    changed = bytearray(archive)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = archive.find(signature)
        while position >= 0:
            (old,) = struct.unpack_from("<H", changed, position + offset)
            struct.pack_into("<H", changed, position + offset, old | flag)
            position = archive.find(signature, position + 4)
    return bytes(changed)


def announce_size(archive: bytes, size: int) -> bytes:
    """Write another unpacked size of every entry into headers and list."""
    changed = bytearray(archive)
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        position = archive.find(signature)
        while position >= 0:
            struct.pack_into("<I", changed, position + offset, size)
            position = archive.find(signature, position + 4)
    return bytes(changed)
