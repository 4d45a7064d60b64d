"""Rows of a data set: how they are divided into training and test rows, and written."""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SIZES = (100, 300, 1000)
SINGLE_HEADER, PAIR_HEADER = ("text", "label"), ("text", "text_pair", "label")


class Row(NamedTuple):
    """One labelled example."""

    text: str
    pair: str | None
    """Second text; None in a data set of single texts."""
    label: str
    """Name of the class; in a regression the number as text."""


class NotEnoughRows(Exception):
    """A data set has fewer training rows on this machine than are asked for."""


@dataclass(frozen=True)
class RowPools:
    """Rows that may be trained on, and rows that are only ever tested on."""

    train: Sequence[Row]
    test: Sequence[Row]


@dataclass(frozen=True)
class DataSet:
    """A data set that the benchmark can make."""

    name: str
    description: str
    """A sentence for the page: what is to be predicted from what, and where the rows are from."""
    metric: str
    """The metric that the service chooses for it by default."""
    load_pools: Callable[[], RowPools]
    """Read or make all rows. Raises SystemExit if their source is missing."""
    is_regression: bool = False
    is_pair: bool = False
    needs_glue: bool = False
    sizes: tuple[int, ...] = SIZES
    """Training rows that it has enough for."""


@dataclass(frozen=True)
class PreparedData:
    """The files of one data set at one size. No contender sees the labels of ``test``."""

    data_set: DataSet
    rows: int
    """Training rows."""
    train: Path
    test: Path

    @property
    def key(self) -> str:
        """Name of the data set and its size, as in file names."""
        return f"{self.data_set.name}-{self.rows}"


def prepare_data(data_set: DataSet, rows: int, folder: Path) -> PreparedData:
    """Write the training and the test file, unless the folder has them.

    Raises NotEnoughRows if the data set has fewer, and SystemExit if its source is missing.
    """
    target = folder / f"{data_set.name}-{rows}"
    prepared = PreparedData(data_set, rows, target / "train.csv", target / "test.csv")
    if not (prepared.train.is_file() and prepared.test.is_file()):
        pools = data_set.load_pools()
        if len(pools.train) < rows:
            raise NotEnoughRows(f"{data_set.name} has {len(pools.train)} training rows here.")
        target.mkdir(parents=True, exist_ok=True)
        write_rows(prepared.test, pools.test)
        write_rows(prepared.train, choose_rows(pools.train, rows, data_set.is_regression))
    return prepared


def choose_rows(rows: Sequence[Row], count: int, is_regression: bool = False) -> list[Row]:
    """Choose ``count`` rows by a hash, with the classes' shares, and order them by another hash."""
    by_class: dict[str, list[Row]] = defaultdict(list)
    for row in sort_by_hash(rows, "choice"):
        by_class["" if is_regression else row.label].append(row)
    quotas = _compute_quotas({label: len(found) for label, found in by_class.items()}, count)
    chosen = [row for label, found in by_class.items() for row in found[: quotas[label]]]
    return sort_by_hash(chosen, "order")


def divide_rows(rows: Sequence[Row], test_count: int, is_regression: bool = False) -> RowPools:
    """Take ``test_count`` rows for testing; the others may be trained on."""
    test = choose_rows(sort_by_hash(rows, "test"), test_count, is_regression)
    held_out = set(test)
    return RowPools([row for row in rows if row not in held_out], test)


def sort_by_hash(rows: Iterable[Row], purpose: str) -> list[Row]:
    """Sort rows by a hash of their content, which is the same on every machine."""
    return sorted(rows, key=lambda row: hash_text("\x1f".join((row.text, row.pair or "")), purpose))


def hash_text(text: str, purpose: str) -> bytes:
    """Hash a text, independently for each purpose."""
    return hashlib.sha256(f"{purpose}:{text}".encode()).digest()


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write a CSV file with a header; the second text has a column if rows have one."""
    is_pair = rows[0].pair is not None
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(PAIR_HEADER if is_pair else SINGLE_HEADER)
        writer.writerows(row if is_pair else (row.text, row.label) for row in rows)


def read_rows(path: Path) -> list[Row]:
    """Read a file of ``write_rows``."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            Row(values["text"], values.get("text_pair"), values["label"])
            for values in csv.DictReader(stream)
        ]


def _compute_quotas(available: dict[str, int], count: int) -> dict[str, int]:
    """Divide ``count`` in proportion to the classes' rows, by the largest remainders."""
    total = sum(available.values())
    exact = {label: count * rows / total for label, rows in available.items()}
    quotas = {label: int(share) for label, share in exact.items()}
    by_remainder = sorted(exact, key=lambda label: (quotas[label] - exact[label], label))
    for label in by_remainder[: count - sum(quotas.values())]:
        quotas[label] += 1
    return quotas
