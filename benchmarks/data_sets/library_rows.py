"""Data sets that any machine with this project can make: from the source of Python and of the
installed packages, which many authors have written.
"""

import csv
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.data_sets.rows import (
    DataSet,
    Row,
    RowPools,
    divide_rows,
    hash_text,
    sort_by_hash,
)
from benchmarks.data_sets.source_code import (
    DocumentedObject,
    iterate_messages,
    iterate_objects,
    list_library_modules,
)
from shared.datasets.sample_dataset import write_dataset

DEMO_ROWS, TEST_ROWS = 700, 400
SENTENCE_WORDS = range(5, 41)
LONG_WORDS = range(60, 1000)
AREA_PACKAGES = (
    "alembic", "altair", "asyncio", "celery", "click", "email", "idlelib", "importlib", "jinja2",
    "kombu", "logging", "multiprocessing", "numpy", "pydantic", "rich", "scipy", "sklearn",
    "sqlalchemy", "tkinter", "unittest",
)  # fmt: skip
LONG_PACKAGES = ("altair", "networkx", "numpy", "redis", "scipy", "sklearn", "sqlalchemy")
PAIR_PACKAGES = ("networkx", "numpy", "redis", "scipy", "sklearn", "sqlalchemy")
RAISING_PACKAGES = ("numpy", "scipy", "sklearn", "sqlalchemy", "pydantic", "networkx")
EXCEPTIONS = ("ValueError", "TypeError", "RuntimeError", "NotImplementedError")
"""Labels of a data set: the exception with which a message is raised."""
ROWS_PER_CLASS = 80


def list_library_data_sets() -> list[DataSet]:
    """List the data sets made from installed source code."""
    return [
        DataSet(
            "docstrings",
            "The demo's: which of 4 areas of Python's library is a docstring's sentence from?",
            "accuracy",
            _load_docstrings,
            sizes=(100, 300),
        ),
        DataSet(
            "packages",
            f"Which of {len(AREA_PACKAGES)} Python packages is a docstring's first paragraph "
            "from? Equally many of each, none naming its package.",
            "accuracy",
            _load_packages,
        ),
        DataSet(
            "long-docstrings",
            f"Which of {len(LONG_PACKAGES)} Python packages is a whole docstring of "
            f"{LONG_WORDS.start} words or more from? None names its package.",
            "accuracy",
            _load_long_docstrings,
        ),
        DataSet(
            "exceptions",
            f"With which of {len(EXCEPTIONS)} exceptions is a message raised in Python's library "
            f"and {len(RAISING_PACKAGES)} packages? Three quarters are ValueError.",
            "mcc",
            _load_exceptions,
        ),
        DataSet(
            "signatures",
            "Does a sentence describe a Python function of this name and these arguments, or "
            "another one of the same module? 2 classes, half of each.",
            "accuracy",
            _load_signatures,
            is_pair=True,
        ),
    ]


def _load_docstrings() -> RowPools:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "docstrings.csv"
        write_dataset(path, DEMO_ROWS)
        with path.open(encoding="utf-8", newline="") as stream:
            rows = [Row(one["text"], None, one["label"]) for one in csv.DictReader(stream)]
    return divide_rows(rows, TEST_ROWS)


def _load_packages() -> RowPools:
    texts = {
        package: {
            paragraph
            for one in iterate_objects(package)
            if len((paragraph := _extract_first_paragraph(one.docstring)).split()) in SENTENCE_WORDS
        }
        for package in AREA_PACKAGES
    }
    return divide_rows(_balance_rows(texts, ROWS_PER_CLASS), TEST_ROWS)


def _load_long_docstrings() -> RowPools:
    texts = {
        package: {
            " ".join(one.docstring.split())
            for one in iterate_objects(package)
            if len(one.docstring.split()) in LONG_WORDS
        }
        for package in LONG_PACKAGES
    }
    return divide_rows(_balance_rows(texts, 4 * ROWS_PER_CLASS), TEST_ROWS)


def _load_exceptions() -> RowPools:
    labels = defaultdict(set)
    for package in (*list_library_modules(), *RAISING_PACKAGES):
        for raised in iterate_messages(package):
            message = " ".join(raised.message.split())
            if raised.exception in EXCEPTIONS and len(message.split()) in SENTENCE_WORDS:
                labels[message].add(raised.exception)
    # a message that is raised with several exceptions has no one label
    rows = [Row(text, None, *found) for text, found in sorted(labels.items()) if len(found) == 1]
    return divide_rows(rows, TEST_ROWS)


def _load_signatures() -> RowPools:
    rows = [row for package in PAIR_PACKAGES for row in _iterate_signature_rows(package)]
    distinct = {row.text: row for row in sort_by_hash(rows, "distinct")}  # overloads, subclasses
    return divide_rows(sorted(distinct.values()), TEST_ROWS)


def _iterate_signature_rows(package: str) -> Iterator[Row]:
    """Iterate over functions of a package, about half of them with another one's sentence."""
    by_module: dict[Path, dict[str, str]] = defaultdict(dict)
    for one in iterate_objects(package):
        if _is_public_function(one):
            by_module[one.module][one.signature] = _extract_first_paragraph(one.docstring)
    for sentences in by_module.values():
        yield from _pair_signatures(sentences)


def _is_public_function(one: DocumentedObject) -> bool:
    paragraph = _extract_first_paragraph(one.docstring)
    return (
        one.is_function
        and not one.signature.startswith("_")
        and "()" not in one.signature
        and len(paragraph.split()) in SENTENCE_WORDS
    )


def _pair_signatures(sentences: dict[str, str]) -> Iterator[Row]:
    """Give every second signature its own sentence or, as often, that of its neighbor.

    No sentence is in two rows, because what a model has seen it with would tell the label.
    """
    signatures = sorted(sentences, key=lambda signature: hash_text(signature, "pair"))
    for own, other in zip(signatures[::2], signatures[1::2], strict=False):
        if hash_text(own, "match")[0] % 2:
            yield Row(own, sentences[own], "match")
        elif sentences[own] != sentences[other]:
            yield Row(own, sentences[other], "mismatch")


def _balance_rows(texts: dict[str, set[str]], per_class: int) -> list[Row]:
    """Take equally many texts of each package that name neither it nor occur in another."""
    packages_with = Counter(text for found in texts.values() for text in found)
    rows: list[Row] = []
    for package, found in texts.items():
        name = re.compile(rf"\b{re.escape(package)}", re.IGNORECASE)
        unique = (text for text in found if packages_with[text] == 1 and not name.search(text))
        rows += _take_rows(unique, package, per_class)
    return rows


def _take_rows(texts: Iterable[str], label: str, count: int) -> Sequence[Row]:
    return sort_by_hash((Row(text, None, label) for text in texts), "balance")[:count]


def _extract_first_paragraph(docstring: str) -> str:
    return " ".join(re.split(r"\n[^\S\n]*\n", docstring, maxsplit=1)[0].split())
