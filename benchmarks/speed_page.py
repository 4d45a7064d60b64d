"""Write ``docs/results/speed.md`` from the JSON results of all speed benchmarks:
``python -m benchmarks.speed_page``.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.results import RESULTS_FOLDER, Result, Table, format_machine, print_result

RESULTS_SUBFOLDER = "speed"
SECTION_ORDER = (
    "train_cpu",
    "train_gpu",
    "slots",
    "overhead",
    "polling",
    "queries",
    "reading",
    "classifications",
)
"""Names of the results in the order of the page; other results follow, sorted by name."""
INTRODUCTION = """# Speed

Each section comes from one command, run from the repository's root, which writes a table and
`speed/<name>.json`. The sides of a comparison take turns, round by round, on the same machine.
Figures are medians; trust the ratios more than the absolute values. The page is generated from
those files and shows every measurement, whatever its outcome.
"""


def publish_result(result: Result, *, dry: bool) -> None:
    """Record the result, or with ``dry`` print its figures as JSON."""
    if dry:
        json.dump(result.figures, sys.stdout, indent=1)
    else:
        record_result(result)


def record_result(result: Result, results: Path = RESULTS_FOLDER) -> Path:
    """Print the tables and write the benchmark's file and the page; returns the file's path."""
    print_result(result)
    path = results / RESULTS_SUBFOLDER / f"{result.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(result), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    write_page(results)
    return path


def write_page(results: Path = RESULTS_FOLDER) -> Path:
    """Write the page of all results in the folder ``speed``, next to it; returns its path."""
    folder = results / RESULTS_SUBFOLDER
    found = sorted(map(_load_result, folder.glob("*.json")), key=_get_sort_key)
    if not found:
        raise SystemExit(f"There are no results in {folder}. Run a benchmark first.")
    page = results / f"{RESULTS_SUBFOLDER}.md"
    sections = ["\n".join(_iterate_section(result)) for result in found]
    page.write_text("\n".join([INTRODUCTION, *sections]), encoding="utf-8")
    return page


def _load_result(path: Path) -> Result:
    values = json.loads(path.read_text(encoding="utf-8"))
    return Result(**values | {"tables": [Table(**table) for table in values["tables"]]})


def _get_sort_key(result: Result) -> tuple[int, str]:
    known = result.name in SECTION_ORDER
    return SECTION_ORDER.index(result.name) if known else len(SECTION_ORDER), result.name


def _iterate_section(result: Result) -> Iterator[str]:
    yield f"## {result.title}\n"
    yield f"`{result.command}` ({format_machine(result.machine)}).\n"
    for paragraph in result.text:
        yield f"{paragraph}\n"
    for table in result.tables:
        if table.title:
            yield f"{table.title}:\n"
        yield _format_row(table.columns)
        yield _format_row(["---"] * len(table.columns))
        yield from map(_format_row, table.rows)
        yield ""
    for note in result.notes:
        yield f"{note}\n"


def _format_row(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


if __name__ == "__main__":
    write_page()
