"""Uploads that are no table, each with the status and code of its answer; the HTTP tests post
the same corpus.
"""

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.shared.datasets.files import REVIEWS, csv_bytes, jsonl_bytes, parquet_bytes, tsv_bytes

GOOD_CSV = csv_bytes(REVIEWS)
MEGABYTE = 1024**2


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


def parquet_bomb() -> bytes:
    """A few kB that are 4 GB of text: one text of 20,000 letters, referred to from 200,000 rows."""
    import pyarrow as pa

    text = pa.DictionaryArray.from_arrays(
        pa.array([0] * 200_000, pa.int32()), pa.array(["x" * 20_000])
    )
    return parquet_bytes({"text": text, "label": ["a", "b"] * 100_000}, compression="zstd")


def parquet_page_bomb() -> bytes:
    """Repetition inside pages that are not dictionaries: some 400 MB in 100 kB, declared in the
    footer.
    """
    return parquet_bytes(
        {"text": ["x" * 20_000 + str(i) for i in range(20_000)]},
        compression="zstd",
        use_dictionary=False,
    )


def parquet_damaged() -> bytes:
    whole = bytearray(
        parquet_bytes({"text": [f"text {i}" for i in range(500)], "label": [0, 1] * 250})
    )
    whole[40:400] = bytes(360)
    return bytes(whole)


def bomb(first: bytes, piece: bytes) -> bytes:
    """Some 250 kB that unpack to more than 256 MB if a piece is a megabyte: gzip takes what
    follows for more of the same file.
    """
    return gzip.compress(first) + gzip.compress(piece) * 257


NESTED = b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b', "label": "a"}\n'

BAD_UPLOADS: list[BadUpload] = [
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
    # text in another encoding
    BadUpload(
        "utf-16", "data.csv", lambda: GOOD_CSV.decode().encode("utf-16"), 422, "encoding_not_utf8"
    ),
    BadUpload(
        "utf-16 without mark",
        "data.csv",
        lambda: GOOD_CSV.decode().encode("utf-16-le"),
        422,
        "encoding_not_utf8",
    ),
    BadUpload(
        "utf-32", "data.csv", lambda: GOOD_CSV.decode().encode("utf-32"), 422, "encoding_not_utf8"
    ),
    BadUpload(
        "latin-1",
        "data.csv",
        lambda: "text,label\nein Café,a\nnaïv,b\n".encode("latin-1"),
        422,
        "encoding_not_utf8",
    ),
    BadUpload(
        "latin-1 json",
        "d.jsonl",
        lambda: '{"text": "Café"}\n'.encode("latin-1"),
        422,
        "encoding_not_utf8",
    ),
    BadUpload(
        "latin-1 far down",
        "d.tsv",
        lambda: b"text\tlabel\n" + b"a b\t1\n" * 40_000 + b"\xe9\t0\n",
        422,
        "encoding_not_utf8",
    ),
    BadUpload(
        "surrogate bytes",
        "data.tsv",
        lambda: b"text\tlabel\na \xed\xa0\x80\t1\n",
        422,
        "encoding_not_utf8",
    ),
    BadUpload(
        "NUL in csv", "data.csv", lambda: b"text,label\ngood\0film,a\nbad,b\n", 422, "invalid_text"
    ),
    BadUpload(
        "NUL in tsv",
        "data.tsv",
        lambda: b"text\tlabel\ngood\0film\ta\nbad\tb\n",
        422,
        "invalid_text",
    ),
    BadUpload(
        "NUL in jsonl", "data.jsonl", lambda: b'{"text": "a\0b", "label": 1}\n', 422, "invalid_text"
    ),
    # delimited
    BadUpload(
        "prose", "data.txt", lambda: b"Once upon a time\nthere was a file.\n", 422, "not_a_table"
    ),
    BadUpload("one column", "data.csv", lambda: b"text\nfirst\nsecond\n", 422, "not_a_table"),
    BadUpload(
        "quote never closed",
        "data.csv",
        lambda: b'text,label\na,1\n"b,0\nc,1\nd,0\n',
        422,
        "csv_malformed",
    ),
    BadUpload(
        "quote never closed, large",
        "d.csv",
        lambda: b'text,label\n"b,0\n' + b"word,1\n" * 30_000,
        422,
        "csv_malformed",
    ),
    BadUpload(
        "text after a closing quote",
        "d.csv",
        lambda: b'text,label\n"a" or b,1\nc,0\n',
        422,
        "csv_malformed",
    ),
    BadUpload(
        "carriage returns alone",
        "data.csv",
        lambda: GOOD_CSV.replace(b"\n", b"\r"),
        422,
        "csv_malformed",
    ),
    BadUpload(
        "carriage return in a csv cell",
        "d.csv",
        lambda: b"text,label\na\rb,1\nc,0\n",
        422,
        "csv_malformed",
    ),
    BadUpload(
        "carriage returns alone, tabs",
        "d.tsv",
        lambda: tsv_bytes(REVIEWS, "\r"),
        422,
        "csv_malformed",
    ),
    BadUpload(
        "field too large",
        "d.csv",
        lambda: b"text,label\n" + b"a" * 131_073 + b",1\n",
        422,
        "csv_field_too_large",
    ),
    BadUpload(
        "quoted field too large",
        "d.csv",
        lambda: b'text,label\n"' + b"a" * 131_073 + b'",1\n',
        422,
        "csv_field_too_large",
    ),
    BadUpload(
        "field too large, tabs",
        "d.tsv",
        lambda: b"text\tlabel\n" + b"a" * 131_073 + b"\t1\n",
        422,
        "csv_field_too_large",
    ),
    BadUpload("one line of 5 MB", "data.csv", lambda: b"a" * 5_000_000, 422, "csv_field_too_large"),
    BadUpload(
        "a million columns", "d.csv", lambda: b"a," * 1_000_000 + b"\n", 422, "csv_too_many_columns"
    ),
    BadUpload(
        "five million columns",
        "d.tsv",
        lambda: b"a\t" * 5_000_000 + b"\n",
        422,
        "csv_too_many_columns",
    ),
    BadUpload(
        "too many rows", "d.csv", lambda: b"text,label\n" + b"a,1\n" * 200_001, 422, "too_many_rows"
    ),
    BadUpload(
        "too many cells", "d.csv", lambda: (b"a," * 999 + b"1\n") * 5_001, 422, "too_many_cells"
    ),
    # JSON
    BadUpload("json array of texts", "data.json", lambda: b'["a", "b"]\n', 422, "json_malformed"),
    BadUpload(
        "json over several lines",
        "d.json",
        lambda: b'{\n "text": "a",\n "label": 1\n}\n',
        422,
        "jsonl_malformed",
    ),
    BadUpload(
        "json cut short",
        "d.jsonl",
        lambda: b'{"text": "a", "label": 1}\n{"text": "b", "la',
        422,
        "jsonl_malformed",
    ),
    BadUpload(
        "json of scalars", "d.jsonl", lambda: b'{"text": "a"}\n"b"\n3\n', 422, "jsonl_malformed"
    ),
    BadUpload("json nested deeply", "d.jsonl", lambda: NESTED, 422, "jsonl_malformed"),
    BadUpload("csv named jsonl", "d.jsonl", lambda: GOOD_CSV, 422, "jsonl_malformed"),
    BadUpload(
        "json field too large",
        "d.jsonl",
        lambda: jsonl_bytes([{"text": "a" * 131_073}]),
        422,
        "field_too_large",
    ),
    BadUpload(
        "json of many keys",
        "d.jsonl",
        lambda: jsonl_bytes({str(i): 1} for i in range(1001)),
        422,
        "too_many_columns",
    ),
    # Parquet
    BadUpload(
        "parquet in name only",
        "d.parquet",
        lambda: b"PAR1" + b"a,b\n1,2\n" * 10,
        422,
        "parquet_malformed",
    ),
    BadUpload(
        "parquet cut short",
        "d.parquet",
        lambda: parquet_bytes({"a": ["x"], "b": [1]})[:-9],
        422,
        "parquet_malformed",
    ),
    BadUpload("parquet damaged", "d.parquet", parquet_damaged, 422, "parquet_malformed"),
    BadUpload(
        "parquet of lists of lists",
        "d.parquet",
        lambda: parquet_bytes({"a": [[["x"]]]}),
        422,
        "parquet_column_not_supported",
    ),
    BadUpload(
        "parquet of bytes",
        "d.parquet",
        lambda: parquet_bytes({"a": [b"x"]}),
        422,
        "parquet_column_not_supported",
    ),
    BadUpload(
        "parquet wide",
        "d.parquet",
        lambda: parquet_bytes({str(i): [1] for i in range(1001)}),
        422,
        "too_many_columns",
    ),
    BadUpload(
        "parquet long",
        "d.parquet",
        lambda: parquet_bytes({"a": [1] * 200_001}),
        422,
        "too_many_rows",
    ),
    BadUpload(
        "parquet field",
        "d.parquet",
        lambda: parquet_bytes({"a": ["x" * 131_073]}),
        422,
        "field_too_large",
    ),
    BadUpload("parquet bomb", "d.parquet", parquet_bomb, 422, "decompressed_too_large"),
    BadUpload(
        "parquet bomb in pages", "d.parquet", parquet_page_bomb, 422, "decompressed_too_large"
    ),
]


def write(upload: BadUpload, folder: Path) -> Path:
    path = folder / "upload"
    path.write_bytes(upload.content)
    return path
