"""Uploads without content, in a format that is no table, or compressed to exhaust memory."""

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib

from tests.shared.datasets.bad_uploads.upload import GOOD_CSV, BadUpload
from tests.shared.datasets.files import parquet_bytes

MEGABYTE = 1024**2


def zipped(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return target.getvalue()


def tarred() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        member = tarfile.TarInfo("../../data.csv")
        member.size = len(GOOD_CSV)
        archive.addfile(member, io.BytesIO(GOOD_CSV))
    return target.getvalue()


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    pixel = chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
        + pixel
        + chunk(b"IEND", b"")
    )


def feather() -> bytes:
    import pyarrow as pa

    table = pa.table({"text": ["a", "b"], "label": [0, 1]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def bomb(first: bytes, piece: bytes) -> bytes:
    """Some 250 kB that unpack to more than 256 MB if a piece is a megabyte: gzip takes what
    follows for more of the same file.
    """
    return gzip.compress(first) + gzip.compress(piece) * 257


NOT_TEXT: list[BadUpload] = [
    # no content
    BadUpload("no bytes", "data.csv", lambda: b"", 422, "empty_file"),
    BadUpload("only blank lines", "data.csv", lambda: b"\n\r\n\n", 422, "empty_file"),
    BadUpload("only a byte order mark", "data.csv", lambda: b"\xef\xbb\xbf", 422, "empty_file"),
    BadUpload("only a header", "data.csv", lambda: b"text,label\n", 422, "empty_file"),
    BadUpload(
        "only a header, tabs",
        "data.tsv",
        lambda: b"sentence1\tsentence2\tlabel\r\n",
        422,
        "empty_file",
    ),
    BadUpload(
        "parquet without rows",
        "data.parquet",
        lambda: parquet_bytes({"text": [], "label": []}),
        422,
        "empty_file",
    ),
    # not text
    BadUpload(
        "zip", "data.csv", lambda: zipped("data.csv", GOOD_CSV), 415, "unsupported_media_type"
    ),
    BadUpload(
        "zip with a way out",
        "data.zip",
        lambda: zipped("../../etc/passwd", GOOD_CSV),
        415,
        "unsupported_media_type",
    ),
    BadUpload(
        "spreadsheet",
        "data.xlsx",
        lambda: zipped("xl/workbook.xml", b"<workbook/>"),
        415,
        "unsupported_media_type",
    ),
    BadUpload(
        "old spreadsheet",
        "d.xls",
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        415,
        "unsupported_media_type",
    ),
    BadUpload("tar", "data.tar", tarred, 415, "unsupported_media_type"),
    BadUpload(
        "gzip in gzip",
        "d.gz",
        lambda: gzip.compress(gzip.compress(GOOD_CSV)),
        415,
        "unsupported_media_type",
    ),
    BadUpload(
        "gzip cut short", "data.csv.gz", lambda: gzip.compress(GOOD_CSV)[:-9], 422, "gzip_malformed"
    ),
    BadUpload(
        "gzip bomb",
        "data.csv",
        lambda: gzip.compress(bytes(64 * 1024**2)),
        415,
        "unsupported_media_type",
    ),
    BadUpload(
        "gzip bomb of one line",
        "d.csv",
        lambda: bomb(b"text,label\n", b"a" * MEGABYTE),
        422,
        "csv_field_too_large",
    ),
    BadUpload(
        "gzip bomb of blank lines",
        "d.csv",
        lambda: bomb(GOOD_CSV, b"\n" * MEGABYTE),
        422,
        "too_many_rows",
    ),
    BadUpload(
        "gzip bomb of blanks",
        "d.json",
        lambda: bomb(b"[{}", b" " * MEGABYTE),
        422,
        "decompressed_too_large",
    ),
    BadUpload(
        "gzip bomb of an array",
        "d.json",
        lambda: bomb(b"[", b"{}," * 300_000),
        422,
        "too_many_rows",
    ),
    BadUpload("bzip2", "data.csv", lambda: bz2.compress(GOOD_CSV), 415, "unsupported_media_type"),
    BadUpload("xz", "data.csv", lambda: lzma.compress(GOOD_CSV), 415, "unsupported_media_type"),
    BadUpload(
        "pickle",
        "data.csv",
        lambda: pickle.dumps([("text", "label")]),
        415,
        "unsupported_media_type",
    ),
    BadUpload(
        "pickle in letters",
        "data.csv",
        lambda: pickle.dumps([("a", 1)], protocol=0),
        415,
        "unsupported_media_type",
    ),
    BadUpload(
        "program",
        "data.csv",
        lambda: b"\x7fELF\x02\x01\x01" + bytes(200),
        415,
        "unsupported_media_type",
    ),
    BadUpload("pdf", "data.csv", lambda: b"%PDF-1.7\n1 0 obj\n", 415, "unsupported_media_type"),
    BadUpload("image", "data.tsv", png, 415, "unsupported_media_type"),
    BadUpload(
        "web page",
        "data.csv",
        lambda: b"<!DOCTYPE html>\n<html><p>a,b</p></html>\n",
        415,
        "unsupported_media_type",
    ),
    BadUpload("feather", "data.parquet", feather, 415, "unsupported_media_type"),
    BadUpload(
        "sqlite",
        "data.csv",
        lambda: b"SQLite format 3\x00" + bytes(84),
        415,
        "unsupported_media_type",
    ),
    BadUpload("zeros", "data.csv", lambda: bytes(5000), 415, "unsupported_media_type"),
]
