"""``evenkeel report``: the stability report on the terminal, as a page, a figure or a table."""

import csv
from pathlib import Path

from rich.console import Console

from cli.client import Client
from cli.errors import CliError
from cli.tables import report_view
from shared.report import StabilityReport

CSV_COLUMNS = ("run_id", "seed", "init_seed", "data_seed", "status", "degenerate", "score", "validation_score")


def write_csv(path: Path, report: StabilityReport) -> None:
    """A row a run, in the order of the seeds asked for; empty for what is undefined."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, CSV_COLUMNS, extrasaction="ignore")
        table.writeheader()
        table.writerows(run.model_dump(mode="json") for run in report.runs)
