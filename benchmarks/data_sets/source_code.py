"""Documented functions and raised messages in the source of installed packages.

The sources are parsed with ``ast``; nothing is imported or run.
"""

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_LEFT_OUT = frozenset({"test", "tests", "testing", "_vendor", "vendor"})


class DocumentedObject(NamedTuple):
    """A class or function with a docstring."""

    module: Path
    signature: str
    """Name and names of the arguments, as in the source; only the name of a class."""
    docstring: str
    is_function: bool


class RaisedMessage(NamedTuple):
    """An exception that is raised with a message."""

    exception: str
    message: str
    """The message, with ``{}`` for each inserted value."""


def iterate_objects(package: str) -> Iterator[DocumentedObject]:
    """Iterate over the documented classes and functions of a package or module."""
    for module, tree in _iterate_modules(package):
        for node in ast.walk(tree):
            if isinstance(node, _Definition) and (docstring := ast.get_docstring(node)):
                is_function = not isinstance(node, ast.ClassDef)
                yield DocumentedObject(module, _format_signature(node), docstring, is_function)


def iterate_messages(package: str) -> Iterator[RaisedMessage]:
    """Iterate over the messages that a package or module raises exceptions with."""
    for _, tree in _iterate_modules(package):
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)):
                continue
            raised = node.exc
            if isinstance(raised.func, ast.Name) and raised.args:
                message = _read_text(raised.args[0])
                if message is not None:
                    yield RaisedMessage(raised.func.id, message)


def list_library_modules() -> list[str]:
    """List the modules and packages of the standard library that have source code here."""
    folder = Path(sysconfig.get_path("stdlib"))
    packages = (path.parent.name for path in folder.glob("*/__init__.py"))
    modules = (path.stem for path in folder.glob("*.py"))
    return sorted({*packages, *modules} - _LEFT_OUT)


def _iterate_modules(package: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in _list_sources(package):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)  # about escapes in the source
                yield path, ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue  # templates and examples of broken code, which some packages carry


def _list_sources(package: str) -> list[Path]:
    """List the source files. Raises SystemExit if the package is not installed."""
    spec = find_spec(package)
    if spec is None:
        raise SystemExit(
            f"The package {package} is not installed; run pip install '.[worker,dev]'."
        )
    if spec.submodule_search_locations is None:
        return [Path(spec.origin)] if spec.origin and spec.origin.endswith(".py") else []
    return sorted(
        path
        for folder in spec.submodule_search_locations
        for path in Path(folder).rglob("*.py")
        if _LEFT_OUT.isdisjoint(path.relative_to(folder).parts)
    )


def _format_signature(node: _Definition) -> str:
    if isinstance(node, ast.ClassDef):
        return node.name
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    names = [one.arg for one in arguments if one.arg not in ("self", "cls")]
    return f"{node.name}({', '.join(names)})"


def _read_text(node: ast.expr) -> str | None:
    """Return the text of a literal, with ``{}`` for inserted values; None for anything else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_read_text(part) or "{}" for part in parts)
        case ast.BinOp(left=left, op=ast.Mod() | ast.Add()):
            return _read_text(left)
        case _:
            return None
