"""Parquet files become rows of text, read by a process of their own."""

from pathlib import Path

from shared.datasets import build_validation
from tests.shared.datasets.files import (
    parquet_bytes,
    read,
)


def test_parquet_columns_of_every_flat_type(tmp_path: Path) -> None:
    import datetime

    import pyarrow as pa

    content = parquet_bytes(
        {
            "text": pa.array(["a", None, "c"], pa.large_string()),
            "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
            "label": pa.array([1.0, None, 0.0], pa.float64()),
            "score": pa.array([3.8, 0.1, 1e20], pa.float32()),
            "count": pa.array([2**63, 1, 0], pa.uint64()),
            "ok": pa.array([True, False, None]),
            "day": pa.array([datetime.date(2024, 2, 29)] * 3),
            "nothing": pa.nulls(3),
        }
    )
    table = read(tmp_path, content, "x.parquet")
    assert (table.encoding, table.lines) == (None, None)
    assert table.rows == [
        ("a", "x", "1", "3.8", "9223372036854775808", "true", "2024-02-29", ""),
        ("", "y", "", "0.1", "1", "false", "2024-02-29", ""),
        ("c", "x", "0", "1e+20", "0", "", "2024-02-29", ""),
    ]


def test_parquet_values_that_are_no_cells_are_problems_of_their_rows(tmp_path: Path) -> None:
    import pyarrow as pa

    content = parquet_bytes(
        {"text": ["a", "b\0", "c"], "label": pa.array([0.5, 1.5, float("nan")])}
    )
    table = read(tmp_path, content, "x.parquet")
    assert table.rows == [("a", "0.5"), ("", "1.5"), ("c", "")]
    errors = build_validation(table).errors
    assert [(p.row, p.line, p.code, p.column) for p in errors] == [
        (2, None, "invalid_text", "text"),
        (3, None, "invalid_number", "label"),
    ]


def test_parquet_is_read_across_row_groups_and_batches(tmp_path: Path) -> None:
    content = parquet_bytes(
        {"text": [f"text {i % 700}" for i in range(3000)], "label": list(range(3000))},
        row_group_size=499,
    )
    table = read(tmp_path, content, "x.parquet")
    assert table.rows == [(f"text {i % 700}", str(i)) for i in range(3000)]


def test_the_reading_process_needs_no_pyarrow() -> None:
    import subprocess
    import sys

    probe = (
        "import sys, shared.datasets; sys.exit(any(name in sys.modules for name in "
        "('pyarrow', 'numpy', 'torch')))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", probe], cwd=Path(__file__).parents[3], check=False
        ).returncode
        == 0
    )
