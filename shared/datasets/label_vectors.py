"""Lists that hold one number for each label (``[1, 0, 0]``) instead of the names of labels."""

from collections.abc import Sequence

from shared.datasets.readers.cells import ListCell, VectorCell, is_number, is_whole_number

BITS = {"0": False, "1": True, "false": False, "true": True}


BIT_SEPARATORS = {"|": 2, ";": 2, " ": 2, ",": 3}
"""Separators of a vector written as text, with the least number of places: ``1,0`` is a number."""


def unpack_vectors(cells: Sequence[str], names: Sequence[str] | None) -> list[str]:
    """Turn a column of vectors without brackets (``1,0,0``) into lists."""
    filled = {cell for cell in cells if cell}
    if not filled or any(isinstance(cell, ListCell) or cell in (names or ()) for cell in filled):
        return list(cells)
    for mark, least in BIT_SEPARATORS.items():
        lengths = {_count_bits(cell, mark) for cell in filled}
        if len(lengths) == 1 and min(lengths) >= least:
            return [ListCell.from_values(_split_bits(cell, mark)) if cell else "" for cell in cells]
    return list(cells)


def _split_bits(cell: str, mark: str) -> list[str]:
    return [part.strip() for part in cell.split(mark)]


def _count_bits(cell: str, mark: str) -> int:
    """Return the number of zeros and ones that the cell consists of; 0 if it has others."""
    if cell[0] not in "01":
        return 0
    parts = _split_bits(cell, mark)
    return len(parts) if BITS.keys() >= set(parts) else 0


def read_vectors(cells: Sequence[str], names: Sequence[str] | None) -> list[str]:
    """Turn vectors into lists of the ``names`` whose place is 1.

    Without fitting names they become ``VectorCell``s, which cannot be used as labels.
    """
    if not has_vectors(cells):
        return list(cells)
    return [_read_vector(cell, names) if isinstance(cell, ListCell) else cell for cell in cells]


def has_vectors(cells: Sequence[str]) -> bool:
    """Whether the lists of a column are vectors: only 0 and 1, or numbers in lists of one length,
    with a repeat or a fraction that sets of class numbers do not have.
    """
    distinct = {cell for cell in cells if isinstance(cell, ListCell)}
    lists = [cell.parse_values() for cell in distinct]
    values = {value for found in lists for value in found}
    if not values:
        return False
    lengths = {len(found) for found in lists}
    has_one_length = len(lengths) == 1 and min(lengths) > 1
    has_repeats = any(len(set(found)) < len(found) for found in lists)
    if values <= BITS.keys():
        return has_one_length or has_repeats
    if not has_one_length or not all(map(is_number, values)):
        return False
    return has_repeats or not all(map(is_whole_number, values))


def _read_vector(cell: ListCell, names: Sequence[str] | None) -> str:
    values = cell.parse_values()
    fits = names is not None and len(names) == len(values) and not BITS.keys() >= set(names)
    if names is None or not fits or not BITS.keys() >= set(values):
        return VectorCell(cell)
    return ListCell.from_values(
        name for name, value in zip(names, values, strict=True) if BITS[value]
    )
