"""No pattern that reads a user's text takes more than linear time on any text."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from tests.architecture.ambiguity import is_linear

ROOT = Path(__file__).parents[2]
ANCHORED = {"match", "fullmatch"}
SEARCHING = {"search", "sub", "subn", "split", "findall", "finditer"}


class Use(NamedTuple):
    place: str
    pattern: str | bytes
    flags: int
    is_searched: bool


@pytest.mark.parametrize(
    ("pattern", "is_searched"),
    [
        (r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", False),
        (r"(a+)+b", False),
        (r"(a|a)*b", False),
        (r"(\w+\s?)*x", False),
        (r"\s*,?\s*x", False),
        (r"a*b?a*", False),
        (r"\w+a\w+", False),
        (r".*=.*;", False),
        (r"(ab)*(ba)*a(ba)*c", False),
        (r"[0-9]+x", True),
        (r"\s+$", True),
        (rb"a*a*b", False),
    ],
)
def test_the_check_finds_patterns_that_backtrack(
    pattern: str | bytes, *, is_searched: bool
) -> None:
    assert not is_linear(pattern, is_searched=is_searched)


@pytest.mark.parametrize(
    ("pattern", "is_searched"),
    [
        (r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", False),
        (r"'(?:[^'\\]|\\.)*'", False),
        (r"(\w+(\.\w+)*)-\d{5}-of-\d{5}\b.*", False),
        (r"\w+\.\w+", False),
        (r"[0-9]+x", False),
        (r"\s+", True),
        (r":seed-\d+(-\d+)?$", True),
        (r"a{2,5}b", True),
    ],
)
def test_the_check_accepts_linear_patterns(pattern: str, *, is_searched: bool) -> None:
    assert is_linear(pattern, is_searched=is_searched)


def _import(path: Path) -> ModuleType:
    return importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def _list_uses(path: Path) -> Iterator[Use]:
    """List the patterns that a module uses: compiled ones by name, and those in calls of ``re``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = vars(_import(path))
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
            continue
        owner = names.get(node.value.id)
        if isinstance(owner, re.Pattern) and node.attr in ANCHORED | SEARCHING:
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            yield Use(place, owner.pattern, owner.flags, node.attr in SEARCHING)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and names.get(node.func.value.id) is re
            and node.func.attr in ANCHORED | SEARCHING
        ):
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            yield Use(place, _evaluate(node.args[0], names), 0, node.func.attr in SEARCHING)


def _evaluate(pattern: ast.expr, names: dict[str, object]) -> str:
    value = names[pattern.id] if isinstance(pattern, ast.Name) else ast.literal_eval(pattern)
    assert isinstance(value, str)
    return value


MODULES = [
    path
    for package in ("api", "cli", "shared")
    for path in sorted((ROOT / package).rglob("*.py"))
    if re.search("import re\n|_PATTERN", path.read_text(encoding="utf-8"))
]
USES = [use for path in MODULES for use in _list_uses(path)]


@pytest.mark.parametrize("use", USES, ids=lambda use: use.place)
def test_a_pattern_is_linear(use: Use) -> None:
    assert is_linear(use.pattern, use.flags, is_searched=use.is_searched), use.pattern


def test_every_compiled_pattern_is_examined() -> None:
    examined = {use.pattern for use in USES}
    compiled = {
        value.pattern
        for path in MODULES
        for value in vars(_import(path)).values()
        if isinstance(value, re.Pattern)
    }
    assert len(compiled) > 10
    assert compiled <= examined
