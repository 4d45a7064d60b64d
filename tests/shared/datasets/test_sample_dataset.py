"""The demo's rows: real, short sentences with four labels, always the same."""

import csv
import itertools
import re
from collections import Counter
from pathlib import Path

import pytest

from shared.datasets.sample_dataset import (
    LABEL_SHARES,
    MAX_WORDS,
    MIN_WORDS,
    MODULES_BY_LABEL,
    _extract_first_sentence,
    _iterate_area_sentences,
    _list_sources,
    write_dataset,
)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    path = tmp_path_factory.mktemp("docstrings") / "rows.csv"
    assert write_dataset(path) == ["concurrency", "files", "network", "text"]
    return read(path)


def read(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["text", "label"]
    return [(text, label) for text, label in rows]


def test_writes_the_requested_rows_moderately_skewed(rows: list[tuple[str, str]]) -> None:
    counts = Counter(label for _, label in rows)
    assert counts == {"network": 144, "text": 112, "files": 80, "concurrency": 64}
    assert sum(LABEL_SHARES.values()) == pytest.approx(1)


def test_short_plain_and_without_duplicates(rows: list[tuple[str, str]]) -> None:
    sentences = [text for text, _ in rows]
    assert len({text.casefold() for text in sentences}) == len(sentences)
    for text in sentences:
        assert MIN_WORDS <= len(text.split()) <= MAX_WORDS
        assert text.isascii()
        assert text == " ".join(text.split())


def test_classes_are_mixed_not_in_blocks(rows: list[tuple[str, str]]) -> None:
    longest = max(len(list(block)) for _, block in itertools.groupby(label for _, label in rows))
    assert longest < 15


def test_is_reproducible_and_a_smaller_set_is_part_of_a_larger_one(
    rows: list[tuple[str, str]], tmp_path: Path
) -> None:
    write_dataset(tmp_path / "again.csv")
    assert read(tmp_path / "again.csv") == rows
    write_dataset(tmp_path / "short.csv", rows=100)
    short = read(tmp_path / "short.csv")
    assert len(short) == 100
    assert set(short) < set(rows)


def test_refuses_more_rows_than_there_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"rows need [0-9]+ sentences on network"):
        write_dataset(tmp_path / "rows.csv", rows=100_000)
    assert not (tmp_path / "rows.csv").exists()


@pytest.mark.parametrize(
    "module", [module for modules in MODULES_BY_LABEL.values() for module in modules]
)
def test_every_module_exists(module: str) -> None:
    assert _list_sources(module)


@pytest.mark.parametrize("module", ["zipfile", "socket", "asyncio"])
def test_sentences_do_not_name_their_module(module: str) -> None:
    sentences = list(_iterate_area_sentences((module,)))
    assert len(sentences) > 5
    assert not [
        sentence for sentence in sentences if re.search(rf"\b{module}\b", sentence, re.IGNORECASE)
    ]


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("Return the size of the file. More follows.", "Return the size of the file."),
        ("Return the size\nof the open file.\n\nMore.", "Return the size of the open file."),
        ("Too short.", None),
        ("Return the size of the file", None),
        (">>> print(1) is not a sentence.", None),
        (f"Word{' word' * 30}.", None),
    ],
)
def test_first_sentence(docstring: str, sentence: str | None) -> None:
    assert _extract_first_sentence(docstring) == sentence
