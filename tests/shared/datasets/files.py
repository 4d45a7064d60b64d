"""Small files of every kind, as bytes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from shared.datasets import Limits, Table, read_table
from shared.datasets.readers.rows import DEFAULT_LIMITS

Rows = Sequence[Sequence[str]]

REVIEWS: Rows = [
    ["text", "label"],
    ["A film to see twice.", "pos"],
    ["Long, loud and empty.", "neg"],
    ['They call it "art".', "neg"],
    ["Quietly funny", "pos"],
    ["I left early.", "neg"],
    ["Well played by all", "pos"],
]


def csv_bytes(rows: Rows, delimiter: str = ",", end: str = "\n") -> bytes:
    """As RFC 4180 has it. (The csv module's own writer leaves a lone carriage return unquoted.)"""

    def written(cell: str) -> str:
        quoted = any(character in cell for character in f'"\r\n{delimiter}')
        return '"' + cell.replace('"', '""') + '"' if quoted else cell

    return "".join(delimiter.join(map(written, row)) + end for row in rows).encode()


def tsv_bytes(rows: Rows, end: str = "\n") -> bytes:
    return "".join("\t".join(row) + end for row in rows).encode()


def jsonl_bytes(objects: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in objects).encode()


def parquet_bytes(columns: Mapping[str, Any], **options: Any) -> bytes:
    """``columns``: lists or pyarrow arrays by name; ``options`` of
    ``pyarrow.parquet.write_table``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(dict(columns)), sink, **options)
    return bytes(sink.getvalue().to_pybytes())


def read(
    folder: Path,
    content: bytes,
    filename: str = "data.csv",
    *,
    header: Literal["auto"] | bool = "auto",
    limits: Limits = DEFAULT_LIMITS,
) -> Table:
    path = folder / "upload"
    path.write_bytes(content)
    return read_table(path, filename, header=header, limits=limits)
