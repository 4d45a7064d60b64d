"""Reports on the terminal: what they say of small samples."""

import re

from rich.console import Console

from cli.tables import format_report, format_reports_side_by_side
from shared.report import StabilityReport
from tests.shared.reports import make_report


def show(*reports: StabilityReport) -> str:
    console = Console(width=80, highlight=False)
    with console.capture() as capture:
        if len(reports) == 1:
            console.print(format_report(reports[0]))
        else:
            console.print(format_reports_side_by_side([("a", one) for one in reports]))
    return capture.get()


def get_cell(text: str, title: str) -> str:
    line = next(line for line in text.splitlines() if line.strip().startswith(title))
    return re.split(r"\s{2,}", line.strip(), maxsplit=1)[1]


def test_equal_scores_show_what_they_do_not_exclude() -> None:
    text = show(make_report([43 / 48] * 5, rows=48))
    # √(1 - 0.05^(1/4)) / 48
    assert get_cell(text, "mean ± std") == "0.8958 (equal scores; std 0.0151 not excluded)"
    assert get_cell(text, "95% interval of the mean") == "-"
    # Wilson's of 43 of 48
    assert get_cell(text, "95% interval from the rows") == "0.7783 to 0.9547"


def test_scores_that_differ_little_do_not_read_as_equal() -> None:
    text = show(make_report([0.8, 0.800001, 0.8], rows=10_000))
    assert get_cell(text, "mean ± std") == "0.8000 ± 6e-07"


def test_the_interval_from_the_rows_is_left_out_where_no_job_has_one() -> None:
    accuracy, mcc = make_report([0.8, 0.9]), make_report([0.8, 0.9], metric="mcc")
    assert "from the rows" not in show(mcc)
    assert "from the rows" not in show(mcc, mcc)
    assert "from the" in show(accuracy, accuracy)


def test_a_report_without_scores_says_so_and_why() -> None:
    text = show(make_report([None, None], status={0: "failed", 1: "cancelled"}))
    assert "no score: no run has succeeded (1 failed, 1 cancelled)" in " ".join(text.split())
    assert get_cell(text, "min, quartiles, max") == "no score"
    undefined = show(make_report([None, None], metric="pearson"))
    assert "no score: pearson is undefined for all 2 succeeded runs" in " ".join(undefined.split())
    assert get_cell(show(make_report([0.8])), "mean ± std") == "0.8000 (one score, no spread)"
