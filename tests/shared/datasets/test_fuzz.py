"""Whatever the bytes: a table, or a refusal with a 4xx; and whatever the table: a profile that
can be stored.
"""

import gzip
import json
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.datasets import Validation, build_validation, resolve_task
from shared.domain.errors import ServiceError
from shared.domain.task import TaskRequest
from tests.shared.datasets.files import (
    REVIEWS,
    csv_bytes,
    jsonl_bytes,
    parquet_bytes,
    read,
    tsv_bytes,
)

GOOD = {
    "x.csv": csv_bytes(REVIEWS),
    "x.tsv": tsv_bytes(REVIEWS),
    "x.jsonl": jsonl_bytes({"text": text, "label": label} for text, label in REVIEWS[1:]),
}
PIECES = [
    b'"',
    b",",
    b"\t",
    b";",
    b"\n",
    b"\r",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"1",
    b"NaN",
    b"e9",
]


def read_or_refused(content: bytes, filename: str) -> None:
    status = 200
    with tempfile.TemporaryDirectory() as folder:
        try:
            table = read(Path(folder), content, filename)
            validation = build_validation(table)
            assert Validation.model_validate(json.loads(validation.model_dump_json())) == validation
            assert len(table.rows) + table.problems_total == table.total_rows == validation.rows > 0
            assert all(len(row) == table.width for row in table.rows)
            resolve_task(TaskRequest(), table, max_positions=512)
        except ServiceError as refusal:
            status = refusal.status
    assert status in (200, 400, 415, 422)


any_name = st.sampled_from([*GOOD, "x.json", "x", "x.txt", "x.gz"])
any_content = st.binary(max_size=300) | st.lists(
    st.sampled_from([*PIECES, b'"text"', b":", b"label", b"a"])
).map(b"".join)


@settings(deadline=None)
@given(content=any_content, filename=any_name)
def test_any_bytes(content: bytes, filename: str) -> None:
    read_or_refused(content, filename)


@pytest.mark.long
@settings(deadline=None, max_examples=3000)
@given(content=any_content, filename=any_name, packed=st.booleans())
def test_any_bytes_at_length(content: bytes, filename: str, packed: bool) -> None:
    read_or_refused(gzip.compress(content, 1) if packed else content, filename)


@settings(deadline=None)
@given(
    filename=st.sampled_from(sorted(GOOD)),
    edits=st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 10), st.sampled_from(PIECES)),
        min_size=1,
        max_size=6,
    ),
)
def test_good_files_with_a_few_bytes_changed(
    filename: str, edits: list[tuple[int, int, bytes]]
) -> None:
    content = GOOD[filename]
    for start, length, piece in edits:
        content = content[:start] + piece + content[start + length :]
    read_or_refused(content, filename)


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(8, 200))]
)
def test_parquet_with_a_few_bytes_changed(seed: int) -> None:
    content = bytearray(
        parquet_bytes({"text": [f"text {row % 90}" for row in range(400)], "label": [0, 1] * 200})
    )
    generator = random.Random(seed)
    for _ in range(1 + seed % 4):
        content[generator.randrange(4, len(content) - 4)] = generator.randrange(256)
    read_or_refused(bytes(content), "x.parquet")
