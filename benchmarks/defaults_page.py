"""Write ``docs/results/defaults.md`` from what a benchmark of defaults has measured so far:
``python -m benchmarks.defaults_page --home DIR``.

Finished or not, every record in the home is shown; cells without a result are named. The records
are copied beside the page, so that it can be written again without the home.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.contenders.records import Record, RecordStore
from benchmarks.contenders.spread_records import SpreadStore, SpreadSummary, summarize_spread
from benchmarks.data_sets.catalogue import DATA_SETS
from benchmarks.defaults_analysis import CONTENDER_ORDER, CellStandings, group_records
from benchmarks.defaults_figure import build_cells_figure, build_lead_figure, format_contender
from benchmarks.defaults_tables import iterate_cell, iterate_spreads, iterate_summary
from benchmarks.results import RESULTS_FOLDER, format_machine

SUBFOLDER = "defaults"
RECORDS_FILE, SPREADS_FILE = "records.json", "spreads.json"
LEADS_FILE = "leads.png"
COMMAND = "EVENKEEL_GLUE_DIR=… python -m benchmarks.defaults --home DIR"
INTRODUCTION = """# The default job against what else one could do

The default is a job with nothing set but its files. On the same training rows, with the same number
of seeds:

- **conventional**: the preset of that name, fine-tuning as in 2019;
- **conventional, own rate**: the same at the learning rate that pilots choose for it;
- **best of a grid**: learning rates, heads and, for pairs, encodings; the candidate with the best
  mean validation score, trained again with fresh seeds;
- **SetFit**: contrastive pairs and a logistic head, with its defaults and its authors' 20 pairs per
  row; it reads single texts, so pairs are joined;
- **transformers.Trainer**: the script of its documentation, with the defaults shown there (5e-5, 3
  epochs, batches of 8);
- the **baselines** of the job's report, without fine-tuning.

Jobs divide the training rows into training and validation rows themselves; outside programs train
on all of them. No contender sees the labels of the test rows, and all have the same encoder. "±" is
the standard deviation over seeds. p is two-sided and not adjusted for the number of comparisons:
Welch's test over the seeds, and for a baseline, which has one score, a one-sample t test. Seconds
are wall time for all seeds, with whatever chose the settings; steps are optimizer steps, in
brackets those of pilots or of the grid's search relative to the main runs. The benchmark generates
this page and shows every measurement, whatever its outcome.
"""


def main() -> None:
    """Read the records of a home, or those beside the page, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, help="home of the benchmark; default: last records")
    parser.add_argument("--results", type=Path, default=RESULTS_FOLDER, help="folder of the page")
    given = parser.parse_args()
    if given.home is not None:
        records = list(RecordStore(given.home).iterate_all())
        spreads = map(summarize_spread, SpreadStore(given.home).iterate_all())
        save_records(records, list(spreads), given.results)
    Console().print(f"Wrote {write_page(given.results)}")


def save_records(
    records: Sequence[Record], spreads: Sequence[SpreadSummary], results: Path
) -> None:
    """Write the records beside the page. Raises SystemExit if there are none."""
    if not records and not spreads:
        raise SystemExit("There are no records in the home. Run the benchmark.")
    folder = results / SUBFOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in ((RECORDS_FILE, records), (SPREADS_FILE, spreads)):
        dumped = [value.model_dump(mode="json", exclude_defaults=True) for value in values]
        text = json.dumps(dumped, indent=1, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, encoding="utf-8")


def write_page(results: Path) -> Path:
    """Write the page and its pictures from the records beside it; returns the page's path.

    Raises SystemExit if there are no records.
    """
    folder = results / SUBFOLDER
    cells = group_records(map(Record.model_validate, _load_values(folder / RECORDS_FILE)))
    spreads = map(SpreadSummary.model_validate, _load_values(folder / SPREADS_FILE))
    lines = [INTRODUCTION, *_iterate_machines(cells), *iterate_summary(cells)]
    lines += _draw_leads(cells, folder)
    lines += iterate_spreads(list(spreads))
    for (model, name), found in groupby(cells, lambda one: (one.cell.model, one.cell.data_set)):
        lines += _iterate_data_set(model, name, list(found), folder)
    lines += _iterate_missing(cells)
    page = results / f"{SUBFOLDER}.md"
    page.write_text("\n".join(lines), encoding="utf-8")
    return page


def _load_values(path: Path) -> list[dict[str, Any]]:
    try:
        values: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SystemExit(f"There is no {path}; give --home.") from None
    return values


def _iterate_machines(cells: Sequence[CellStandings]) -> Iterator[str]:
    machines = dict.fromkeys(
        format_machine(one.record.machine)
        for cell in cells
        for one in cell.standings
        if one.record is not None
    )
    versions = dict.fromkeys(
        f"{name} {number}"
        for cell in cells
        for one in cell.standings
        if one.record is not None
        for name, number in one.record.versions.items()
    )
    outside = f" Outside programs: {', '.join(versions)}." if versions else ""
    yield f"`{COMMAND}` ({'; '.join(machines)}).{outside}\n"


def _draw_leads(cells: Sequence[CellStandings], folder: Path) -> Iterator[str]:
    """Draw the default's lead once it is measured in any cell with a rival."""
    if any(cell.list_differences() for cell in cells):
        (folder / LEADS_FILE).write_bytes(build_lead_figure(cells).to_png())
        yield f"![The default's lead over each rival]({SUBFOLDER}/{LEADS_FILE})\n"


def _iterate_data_set(
    model: str, name: str, cells: Sequence[CellStandings], folder: Path
) -> Iterator[str]:
    """Describe a data set at all its sizes, and draw its picture."""
    yield f"## {name}, {model}\n"
    yield f"{DATA_SETS[name].description}\n"
    if any(one.scores for cell in cells for one in cell.standings):
        picture = folder / f"{name}-{model}.png"
        picture.write_bytes(build_cells_figure(f"{name}, {model}", cells).to_png())
        yield f"![Every seed's score]({SUBFOLDER}/{picture.name})\n"
    for cell in cells:
        yield from iterate_cell(cell)


def _iterate_missing(cells: Sequence[CellStandings]) -> Iterator[str]:
    """Name what the benchmark would measure and has not, for each encoder."""
    measured = {
        (*cell.cell, name)
        for cell in cells
        for name in (*(one.name for one in cell.standings), *cell.skipped)
    }
    yield "## Not measured\n"
    for model in dict.fromkeys(cell.cell.model for cell in cells):
        for name, data_set in DATA_SETS.items():
            by_contenders: dict[str, list[str]] = {}
            for rows in data_set.sizes:
                missing = [
                    contender
                    for contender in CONTENDER_ORDER
                    if (model, name, rows, contender) not in measured
                ]
                by_contenders.setdefault(_format_missing(missing), []).append(f"{rows:,}")
            for contenders, sizes in by_contenders.items():
                if contenders:
                    yield f"- {model}, {name}, {', '.join(sizes)} rows: {contenders}"
    yield ""


def _format_missing(contenders: Sequence[str]) -> str:
    if len(contenders) == len(CONTENDER_ORDER):
        return "all contenders"
    return ", ".join(map(format_contender, contenders))


if __name__ == "__main__":
    main()
