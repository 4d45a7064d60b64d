"""Rows of GLUE tasks: training rows of ``train.tsv``, test rows from one half of ``dev.tsv``."""

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.data_sets.rows import DataSet, Row, RowPools, divide_rows
from benchmarks.glue import get_glue_folder

PARAPHRASE_THRESHOLD = 3.0
"""Score of STS-B from which a pair counts as a paraphrase ("roughly equivalent"): 73 % of the
MSRpar rows do. They are sentences of MRPC, where 68 % are.
"""
_COLA_LABELS = {"0": "unacceptable", "1": "acceptable"}
_MSRPAR = "MSRpar"
ParseRow = Callable[[list[str]], Row | None]


def list_glue_data_sets() -> list[DataSet]:
    """List the data sets made from the folder that ``EVENKEEL_GLUE_DIR`` names."""
    return [
        DataSet(
            "CoLA",
            "GLUE's CoLA: is a sentence acceptable English? 2 classes, 70 % one of them.",
            "mcc",
            lambda: _load_task("CoLA", _parse_cola, has_header=False),
            needs_glue=True,
        ),
        DataSet(
            "RTE",
            "GLUE's RTE: does the first text entail the second? 2 classes, longer texts.",
            "accuracy",
            lambda: _load_task("RTE", _parse_rte),
            is_pair=True,
            needs_glue=True,
        ),
        DataSet(
            "STS-B",
            "GLUE's STS-B: how similar are two sentences, from 0 to 5? A regression.",
            "pearson",
            lambda: _load_task("STS-B", _parse_similarity, is_regression=True),
            is_regression=True,
            is_pair=True,
            needs_glue=True,
        ),
        DataSet(
            "paraphrase",
            "Near MRPC: the rows of STS-B that come from MRPC's corpus (MSRpar), a paraphrase if "
            f"their score is at least {PARAPHRASE_THRESHOLD:g}; 73 % are. All MSRpar rows of the "
            "dev file are test rows.",
            "mcc",
            _load_paraphrases,
            is_pair=True,
            needs_glue=True,
        ),
    ]


def _load_task(
    task: str, parse_row: ParseRow, *, has_header: bool = True, is_regression: bool = False
) -> RowPools:
    folder = get_glue_folder() / task
    dev = list(_iterate_rows(folder / "dev.tsv", parse_row, has_header))
    test = divide_rows(dev, len(dev) // 2, is_regression).test
    tested = {(row.text, row.pair) for row in dev}
    train = dict.fromkeys(_iterate_rows(folder / "train.tsv", parse_row, has_header))
    return RowPools([row for row in train if (row.text, row.pair) not in tested], test)


def _load_paraphrases() -> RowPools:
    folder = get_glue_folder() / "STS-B"
    test = list(_iterate_rows(folder / "dev.tsv", _parse_paraphrase))
    tested = {(row.text, row.pair) for row in test}
    train = dict.fromkeys(_iterate_rows(folder / "train.tsv", _parse_paraphrase))
    return RowPools([row for row in train if (row.text, row.pair) not in tested], test)


def _iterate_rows(path: Path, parse_row: ParseRow, has_header: bool = True) -> Iterator[Row]:
    """Iterate over the rows of a file without quoting."""
    lines = path.read_text(encoding="utf-8-sig").split("\n")[has_header:]
    for line in lines:
        row = parse_row(line.rstrip("\r").split("\t")) if line.strip() else None
        if row is not None:
            yield row


def _parse_cola(cells: list[str]) -> Row:
    return Row(cells[3], None, _COLA_LABELS[cells[1]])


def _parse_rte(cells: list[str]) -> Row:
    return Row(*cells[1:4])


def _parse_similarity(cells: list[str]) -> Row:
    return Row(*cells[7:10])


def _parse_paraphrase(cells: list[str]) -> Row | None:
    if cells[2] != _MSRPAR:
        return None
    similar = float(cells[9]) >= PARAPHRASE_THRESHOLD
    return Row(cells[7], cells[8], "paraphrase" if similar else "different")
