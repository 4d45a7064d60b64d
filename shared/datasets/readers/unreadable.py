"""Cells whose value cannot be a text or a label.

A reader puts one in place of the value, so that only a task that uses the column refuses the row;
in a column that no task names, such values do no harm.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from shared.datasets.readers.rows import Limits


class CellProblem(NamedTuple):
    """Why a value cannot be used, as a row problem tells it."""

    code: str
    message: str


class UnreadableCell(str):
    """An empty cell that knows its problem. Cells with the same problem are one object, so
    that a column of them costs no memory.
    """

    __slots__ = ("problem",)

    problem: CellProblem

    @classmethod
    def from_problem(cls, problem: CellProblem) -> "UnreadableCell":
        return _build_cell(problem)


@lru_cache(maxsize=256)
def _build_cell(problem: CellProblem) -> UnreadableCell:
    cell = UnreadableCell()
    cell.problem = problem
    return cell


def build_long_cell(characters: int, limits: Limits, lines: int = 1) -> UnreadableCell:
    """Return the cell for a value above the limit, with the cure."""
    size = f"The value has {characters:,} characters"
    if lines > 1:
        size += f" on {lines:,} lines"
    cure = "Shorten the text or split it into several rows"
    if lines > 1:
        cure += ", or close its quote if it is not one text"
    message = f"{size}, more than the limit of {limits.max_cell_chars:,}. {cure}."
    return UnreadableCell.from_problem(CellProblem("field_too_large", message))


def mark_long_cells(cells: Sequence[str], limits: Limits) -> tuple[str, ...]:
    """Return the cells of a row with unreadable ones for those above the limit."""
    most = limits.max_cell_chars
    if len(max(cells, key=len)) <= most:
        return tuple(cells)
    return tuple(
        build_long_cell(len(cell), limits, cell.count("\n") + 1) if len(cell) > most else cell
        for cell in cells
    )


def find_unreadable(cells: Sequence[str]) -> dict[CellProblem, list[int]]:
    """Return the positions of unreadable cells by their problem, in order of appearance."""
    found: dict[CellProblem, list[int]] = {}
    if UnreadableCell in set(map(type, cells)):
        for position, cell in enumerate(cells):
            if isinstance(cell, UnreadableCell):
                found.setdefault(cell.problem, []).append(position)
    return found
