"""``docs/results/speed.md`` from the JSON results of every benchmark of speed measured so far:
``python -m benchmarks.speed_page``.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS_FOLDER, Result, format_machine, print_result

RESULTS_SUBFOLDER = "speed"
SECTION_ORDER = (
    "train_cpu",
    "train_gpu",
    "slots",
    "overhead",
    "polling",
    "queries",
    "classifications",
)
"""Names of the results, in the order of the page; others follow by name."""
INTRODUCTION = """# Speed

Each section comes from one command, run from the repository's root, which writes a table and
`speed/<name>.json`. The sides of a comparison take turns, round by round, on the same machine.
Figures are medians; trust the ratios more than the absolute values. The page is generated from
those files and shows every measurement, whatever its outcome.
"""


def record_result(result: Result, results: Path = RESULTS_FOLDER) -> Path:
    """Print the tables, write the benchmark's file and the page anew; returns the file's path."""
    print_result(result)
    path = results / RESULTS_SUBFOLDER / f"{result.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(asdict(result), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    write_page(results)
    return path


def write_page(results: Path = RESULTS_FOLDER) -> Path:
    """Write the page next to the folder ``speed`` that holds the benchmarks' results; returns
    its path.
    """
    found = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in (results / RESULTS_SUBFOLDER).glob("*.json")
    ]
    if not found:
        raise SystemExit(
            f"There are no results in {results / RESULTS_SUBFOLDER} to write a page of."
        )
    page = results / f"{RESULTS_SUBFOLDER}.md"
    sections = ["\n".join(_iterate_section(result)) for result in sorted(found, key=_get_sort_key)]
    page.write_text("\n".join([INTRODUCTION, *sections]), encoding="utf-8")
    return page


def _get_sort_key(result: dict[str, Any]) -> tuple[int, str]:
    name = result["name"]
    return (SECTION_ORDER.index(name) if name in SECTION_ORDER else len(SECTION_ORDER)), name


def _iterate_section(result: dict[str, Any]) -> Iterator[str]:
    yield f"## {result['title']}\n"
    yield f"`{result['command']}` ({format_machine(result['machine'])}).\n"
    for paragraph in result["text"]:
        yield f"{paragraph}\n"
    for table in result["tables"]:
        if table["title"]:
            yield f"{table['title']}:\n"
        yield _format_row(table["columns"])
        yield _format_row(["---"] * len(table["columns"]))
        yield from map(_format_row, table["rows"])
        yield ""
    for note in result["notes"]:
        yield f"{note}\n"


def _format_row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    write_page()
