"""Tables written by the libraries that people use: read back equal, or refused, asked or warned of,
never changed in silence.
"""

import csv
import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from shared.datasets import Table, build_validation, load_examples, resolve_task
from shared.domain.errors import InvalidValue, ServiceError
from shared.domain.task import Task, TaskRequest, TaskType
from tests.shared.datasets.files import read
from tests.shared.datasets.profiles import warnings

Rows = Sequence[tuple[str, str]]

HEADERS = [
    ("text", "label"),
    ("Text", "Label"),
    ("review", "sentiment"),
    ("Kommentar", "Klasse"),
    ("texte", "étiquette"),
    ("文本", "标签"),
    ("टिप्पणी", "श्रेणी"),
    ("What did you like?", "Rating"),
    ("utterance", "Intent name"),
]
LABELS = [
    ["pos", "neg"],
    ["0", "1"],
    ["1", "2", "3", "4", "5"],
    ["1.5", "2.5", "3.25", "4"],
    ["-1", "0", "1"],
    ["nan", "ok"],
    ["3,5", "4,5", "1,5"],
    ["A/B", "C"],
    ["Food, Drink", "Staff"],
    ["sci|tech", "art"],
    ["C++", "C#", "Go"],
    ["positive ", "negative"],
    ["да", "нет"],
]
CHARACTERS = "abcXYZ  ,;\t\"'|#[]{}0123456789.-+éßø你好हि😀\u00a0\u200d\n"
SAYING = {"quoted_cells", "quoted_after_blank"}
"""Warnings that say that quotes are read as text."""


def draw_rows(draw: random.Random) -> Rows:
    labels = draw.choice(LABELS)
    count = draw.randint(2 * len(labels), 40)
    texts = ("".join(draw.choices(CHARACTERS, k=draw.randint(1, 30))).strip() for _ in range(count))
    return [(text or "x", labels[row % len(labels)]) for row, text in enumerate(texts)]


def write_csv(names: tuple[str, str], rows: Rows, delimiter: str = ",") -> bytes:
    target = io.StringIO(newline="")
    csv.writer(target, delimiter=delimiter, lineterminator="\r\n").writerows([names, *rows])
    return target.getvalue().encode()


def write_json(names: tuple[str, str], rows: Rows) -> bytes:
    return json.dumps([dict(zip(names, row, strict=True)) for row in rows]).encode()


def write_json_lines(names: tuple[str, str], rows: Rows) -> bytes:
    lines = [json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in rows]
    return "\n".join(lines).encode()


def write_parquet(names: tuple[str, str], rows: Rows) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [row[index] for row in rows] for index, name in enumerate(names)}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue().to_pybytes())


def write_quoted_tsv(names: tuple[str, str], rows: Rows) -> bytes:
    """Write as pandas does with ``sep="\\t"``: quoted like CSV, which TSV is not."""
    return write_csv(names, rows, "\t")


WRITERS: dict[str, Callable[[tuple[str, str], Rows], bytes]] = {
    "a.csv": write_csv,
    "b.csv": lambda names, rows: write_csv(names, rows, ";"),
    "a.tsv": write_quoted_tsv,
    "a.json": write_json,
    "a.jsonl": write_json_lines,
    "a.parquet": write_parquet,
}


def read_labels(table: Table, task: Task) -> list[str] | list[float]:
    labels = load_examples(table, task).labels
    if task.type is TaskType.REGRESSION:
        return [float(label) for label in labels if not isinstance(label, tuple)]
    return [task.label_names[label] for label in labels if isinstance(label, int)]


def describe_silent_change(table: Table, names: tuple[str, str], rows: Rows) -> str | None:
    """Return what differs from the written rows although nothing says so."""
    if table.is_header_unclear or table.problems_total:
        return None
    if table.columns != names:
        return f"columns {table.columns}"
    request = TaskRequest(text_column=names[0], label_column=names[1])
    codes = warnings(build_validation(table, request)).keys()
    if table.rows != list(rows):
        return None if codes & SAYING else f"rows {table.rows[:2]}"
    try:
        task = resolve_task(request, table, max_positions=128)
    except InvalidValue:
        return None
    found = read_labels(table, task)
    written = [label.strip() for _, label in rows]
    if task.type is TaskType.REGRESSION:
        plain = [float(label.replace(",", ".")) for label in written]
        is_said = "number_format" in codes or "," not in "".join(written)
        return None if found == plain and is_said else f"numbers {found[:3]}"
    return None if found == written else f"labels {found[:3]}"


@pytest.mark.parametrize("filename", WRITERS)
@pytest.mark.parametrize("count", [60, pytest.param(4_000, marks=pytest.mark.long)])
def test_nothing_is_changed_in_silence(filename: str, count: int, tmp_path: Path) -> None:
    if filename == "a.parquet":
        count //= 10  # each file starts a process
    draw = random.Random(filename)
    equal = 0
    for _ in range(count):
        names, rows = draw.choice(HEADERS), draw_rows(draw)
        content = WRITERS[filename](names, rows)
        try:
            table = read(tmp_path, content, filename)
        except ServiceError:
            continue
        change = describe_silent_change(table, names, rows)
        assert change is None, (change, content)
        equal += table.rows == list(rows)
    assert filename == "a.tsv" or equal > count / 2  # nearly every quoted TSV is refused
