"""Choice of the delimiter of a CSV or TSV file, by how well the sample's rows agree under each."""

import csv
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import PurePath

from shared.datasets.errors import NotATable

DELIMITERS_BY_EXTENSION = {".tsv": "\t", ".tab": "\t", ".csv": ","}
DELIMITERS = "\t,;"
SAMPLE_RECORDS = 50
SEPARATOR_PREFIX = "sep="

Records = Sequence[Sequence[str]]


def get_extension(filename: str) -> str:
    return PurePath(filename).suffix.lower()


def find_separator_line(text: str) -> str | None:
    """Return the delimiter that Excel's first line ``sep=;`` names; None without such a line.

    Raises ``NotATable`` for a delimiter that is not supported.
    """
    first_line = text.split("\n", 1)[0].removesuffix("\r")
    plain = first_line[1:-1] if first_line[:1] == first_line[-1:] == '"' else first_line
    named = set(plain[len(SEPARATOR_PREFIX) :])
    if plain[: len(SEPARATOR_PREFIX)].lower() != SEPARATOR_PREFIX or len(named) != 1:
        return None
    delimiter = named.pop()
    if delimiter not in DELIMITERS:
        raise NotATable(
            f"The first line names {delimiter!r} as the delimiter, which is not supported. Save "
            "the file with commas, semicolons or tabs."
        )
    return delimiter


def sniff_delimiter(text: str, extension: str, *, is_complete: bool) -> str:
    """Return the delimiter under which most of the sample's rows are as wide as the first one;
    the extension's decides between equals.
    """
    first_line = text.lstrip("\r\n").split("\n", 1)[0]
    own = DELIMITERS_BY_EXTENSION.get(extension)
    if own == "\t" and own in first_line:
        return own
    order = [own] if own else []
    order += [delimiter for delimiter in DELIMITERS if delimiter != own]
    samples = {
        delimiter: _read_sample(text, delimiter, is_complete=is_complete) for delimiter in order
    }
    consistent = [delimiter for delimiter in order if _measure_agreement(samples[delimiter]) == 1]
    if consistent:
        return _choose_delimiter(consistent, samples)
    present = [delimiter for delimiter in order if delimiter in first_line]
    if not present:
        return own or ","
    best = max(_measure_agreement(samples[delimiter]) for delimiter in present)
    return _choose_delimiter(
        [
            delimiter
            for delimiter in sorted(present, key=lambda one: (one != own, -first_line.count(one)))
            if _measure_agreement(samples[delimiter]) == best
        ],
        samples,
    )


def _choose_delimiter(candidates: Sequence[str], samples: dict[str, Records]) -> str:
    """Return the first candidate that is not used as punctuation within the cells of another:
    the comma of ``3,5`` and of ``well, it was good``.
    """
    separating = [
        delimiter for delimiter in candidates if not _is_punctuation(samples[delimiter], delimiter)
    ]
    return (separating or list(candidates))[0]


def _measure_agreement(records: Records) -> float:
    """Return the share of rows that are as wide as the first one; 0 if that has one cell."""
    if not records or len(records[0]) < 2:
        return 0.0
    return sum(len(record) == len(records[0]) for record in records) / len(records)


def _is_punctuation(records: Records, delimiter: str) -> bool:
    """Return whether every boundary between two cells is before a blank or a decimal comma."""
    return all(
        after[:1] == " " or (delimiter == "," and before[-1:].isdigit() and after[:1].isdigit())
        for record in records
        for before, after in pairwise(record)
    )


def _read_sample(text: str, delimiter: str, *, is_complete: bool) -> Records:
    """Return the first rows that are not blank."""
    records = list(_iterate_sample(text, delimiter))
    if not is_complete and len(records) <= SAMPLE_RECORDS:
        records = records[:-1]  # the sample ends somewhere inside the row
    return [record for record in records[:SAMPLE_RECORDS] if any(map(str.strip, record))]


def _iterate_sample(text: str, delimiter: str) -> Iterator[list[str]]:
    lines = text.split("\n")
    if delimiter == "\t":
        yield from (line.split("\t") for line in lines[: SAMPLE_RECORDS + 1] if line.rstrip("\r"))
        return
    reader = csv.reader((line + "\n" for line in lines), delimiter=delimiter)
    try:
        for _, record in zip(range(SAMPLE_RECORDS + 1), reader, strict=False):
            yield record
    except csv.Error:
        return
