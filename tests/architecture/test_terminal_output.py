"""Everything that the command line prints goes through ``cli/console.py``, which shows control
characters as code points.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
OWN_OUTPUT = {"cli/console.py", "cli/child_output.py", "cli/interrupts.py"}
"""The console itself, the lines of children, which are escaped there, and a constant text."""
PRINTING = {"print", "echo", "secho", "Console", "write", "print_json"}


def _find_prints(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        target = ast.unparse(node.func)
        name = target.rpartition(".")[2]
        is_printer = target in {"print", "Console", "rich.print", "sys.stdout.write"}
        is_printer |= target.startswith(("typer.", "click.", "sys.std")) and name in PRINTING
        if is_printer or name == "print_json":
            found.append(f"{path.relative_to(ROOT)}:{node.lineno} {target}")
    return found


def test_nothing_is_printed_past_the_console() -> None:
    files = list((ROOT / "cli").rglob("*.py"))
    found = [
        one
        for path in files
        if str(path.relative_to(ROOT)) not in OWN_OUTPUT
        for one in _find_prints(path)
    ]
    assert files
    assert found == []


def test_the_check_finds_other_prints(tmp_path: Path) -> None:
    path = ROOT / "cli" / "console.py"
    assert _find_prints(path) != []
