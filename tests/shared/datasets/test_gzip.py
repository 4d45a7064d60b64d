"""A gzip'd text file is what is inside it, or is refused for what is wrong with it, in bounded
memory.
"""

import gzip
import tempfile
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.datasets import Limits, Table, build_validation
from shared.datasets.readers.gzip_io import open_unpacked
from shared.datasets.readers.rows import DEFAULT_LIMITS
from shared.domain.errors import ServiceError
from tests.shared.datasets.files import (
    REVIEWS,
    csv_bytes,
    jsonl_bytes,
    parquet_bytes,
    read,
    tsv_bytes,
)
from tests.shared.datasets.test_fuzz import GOOD, PIECES

OBJECTS = [dict(zip(REVIEWS[0], row, strict=True)) for row in REVIEWS[1:]]


@pytest.mark.parametrize(
    ("content", "filename"),
    [
        (csv_bytes(REVIEWS), "x.csv"),
        (csv_bytes(REVIEWS, ";"), "x.csv"),
        (tsv_bytes(REVIEWS), "x.tsv"),
        (b"\xef\xbb\xbf" + tsv_bytes(REVIEWS), "x.tsv"),
        (jsonl_bytes(OBJECTS), "x.jsonl"),
        (b"[" + b",".join(jsonl_bytes(OBJECTS).splitlines()) + b"]", "x.json"),
    ],
)
@pytest.mark.parametrize("suffix", [".gz", ""])
def test_it_is_what_is_inside(content: bytes, filename: str, suffix: str, tmp_path: Path) -> None:
    packed = read(tmp_path, compress(content), filename + suffix)
    plain = read(tmp_path, content, filename)
    assert packed.rows == [tuple(row) for row in REVIEWS[1:]]
    assert packed == replace(plain, compression="gzip")
    assert (build_validation(packed).compression, build_validation(plain).compression) == (
        "gzip",
        None,
    )


def test_members_that_follow_each_other_are_one_file(tmp_path: Path) -> None:
    lines = csv_bytes(REVIEWS).splitlines(keepends=True)
    assert len(read(tmp_path, b"".join(map(compress, lines)), "x.csv.gz").rows) == len(REVIEWS) - 1


def test_zeros_may_fill_the_file_up(tmp_path: Path) -> None:
    assert (
        len(read(tmp_path, compress(csv_bytes(REVIEWS)) + bytes(100_000), "x.csv.gz").rows)
        == len(REVIEWS) - 1
    )


def test_a_million_empty_files_in_one_are_given_up(tmp_path: Path) -> None:
    assert (
        len(read(tmp_path, compress(csv_bytes(REVIEWS)) + compress(b"") * 9_999, "x.csv").rows) == 6
    )
    with pytest.raises(ServiceError) as refusal:
        read(tmp_path, compress(csv_bytes(REVIEWS)) + compress(b"") * 10_000, "x.csv")
    assert (refusal.value.status, refusal.value.code) == (422, "gzip_malformed")


compress = partial(gzip.compress, mtime=0)  # test ids must not depend on the time

NOISE = csv_bytes(
    [["text", "label"], *([f"Text {row * row % 8191}", "ab"[row % 2]] for row in range(5000))]
)


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (compress(NOISE)[:-4], 422, "gzip_malformed"),
        (compress(NOISE)[:2000], 422, "gzip_malformed"),
        (compress(NOISE)[:-8] + bytes(8), 422, "gzip_malformed"),
        (compress(NOISE) + b"and more", 422, "gzip_malformed"),
        (b"\x1f\x8b", 422, "gzip_malformed"),
        (b"\x1f\x8btext,label\na,b\n", 422, "gzip_malformed"),
        (compress(b""), 422, "empty_file"),
        (compress(compress(NOISE)), 415, "unsupported_media_type"),
        (
            compress(parquet_bytes({"text": ["a"], "label": ["b"]})),
            415,
            "unsupported_media_type",
        ),
        (compress(b"PK\x03\x04" + bytes(60)), 415, "unsupported_media_type"),
        (compress("text,label\nCafé,x\n".encode("latin-1")), 422, "encoding_not_utf8"),
        (compress(NOISE + "Café,x\n".encode("latin-1")), 422, "encoding_not_utf8"),
    ],
)
def test_what_is_wrong_inside_is_said(
    content: bytes, status: int, code: str, tmp_path: Path
) -> None:
    with pytest.raises(ServiceError) as refusal:
        read(tmp_path, content, "x.csv.gz")
    assert (refusal.value.status, refusal.value.code, refusal.value.param) == (status, code, "file")


def test_the_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="Line 5002 is not UTF-8"):
        read(tmp_path, compress(NOISE + "Café,x\n".encode("latin-1")), "x.csv.gz")


def test_no_more_is_unpacked_than_is_allowed(tmp_path: Path) -> None:
    def read_up_to(most: int) -> Table:
        return read(tmp_path, compress(NOISE), "x.csv", limits=Limits(max_decompressed_bytes=most))

    assert len(read_up_to(len(NOISE)).rows) == 5000
    with pytest.raises(ServiceError) as refusal:
        read_up_to(len(NOISE) - 1)
    assert (refusal.value.status, refusal.value.code) == (422, "decompressed_too_large")


@pytest.mark.parametrize("filename", ["x.csv", "x.tsv", "x.jsonl"])
def test_blank_lines_without_end_are_given_up(filename: str, tmp_path: Path) -> None:
    blanks = b"\n" * (DEFAULT_LIMITS.max_rows + 1)
    first = {
        "x.csv": b"text,label\na,b\n",
        "x.tsv": b"text\tlabel\na\tb\n",
        "x.jsonl": b'{"text":"a","label":1}\n',
    }
    assert (
        read(tmp_path, first[filename] + blanks[1:], filename).blank_lines
        == DEFAULT_LIMITS.max_rows
    )
    with pytest.raises(ServiceError) as refusal:
        read(tmp_path, first[filename] + blanks, filename)
    assert (refusal.value.status, refusal.value.code) == (422, "too_many_rows")


@settings(deadline=None)
@given(
    content=st.binary(max_size=3000),
    times=st.integers(1, 200),
    cuts=st.lists(st.integers(0, 9000), max_size=4),
    size=st.integers(1, 5000),
)
def test_the_bytes_are_what_was_packed(
    content: bytes, times: int, cuts: list[int], size: int
) -> None:
    whole = content * times
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "packed"
        path.write_bytes(b"".join(compress(whole[a:b], 1) for a, b in pairwise(edges)))
        with open_unpacked(path) as unpacked:
            assert b"".join(iter(lambda: unpacked.read(size), b"")) == whole


def outcome(content: bytes, filename: str) -> Table | tuple[int, str, str]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return read(Path(folder), content, filename)
        except ServiceError as refusal:
            return refusal.status, refusal.code, refusal.message


@settings(deadline=None)
@given(
    filename=st.sampled_from(sorted(GOOD)),
    edits=st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 10), st.sampled_from(PIECES)), max_size=4
    ),
)
def test_packing_changes_nothing(filename: str, edits: list[tuple[int, int, bytes]]) -> None:
    content = GOOD[filename]
    for start, length, piece in edits:
        content = content[:start] + piece + content[start + length :]
    packed, plain = outcome(compress(content, 1), f"{filename}.gz"), outcome(content, filename)
    assert packed == (replace(plain, compression="gzip") if isinstance(plain, Table) else plain)


@settings(deadline=None)
@given(
    position=st.integers(0, 10_000),
    piece=st.binary(min_size=1, max_size=4),
)
def test_damaged_gzip_is_refused_or_read(position: int, piece: bytes) -> None:
    packed = compress(NOISE[:3000])
    place = 2 + position % (len(packed) - 2)
    found = outcome(packed[:place] + piece + packed[place + len(piece) :], "x.csv.gz")
    assert isinstance(found, Table) or found[0] in (415, 422)
