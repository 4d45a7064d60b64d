"""The model card's numbers: equal scores and few rows do not read as certainty."""

from shared.db.tables import Job, Run
from shared.report import StabilityReport
from tests.rows import job_values
from tests.shared.reports import make_report
from worker.jobs.model_card import render_model_card


def list_lines(report: StabilityReport) -> list[str]:
    job, best = Job(**job_values()), Run(init_seed=0, data_seed=0, environment=None)
    return render_model_card("ft:m", job, report, best).splitlines()


def test_equal_scores_show_what_they_do_not_exclude() -> None:
    lines = list_lines(make_report([1.0] * 5, rows=8))
    # only downwards: √(½ · ½) / 8; Wilson's interval of 8 of 8 begins at 8 / (8 + 3.841459)
    assert "| mean ± std | 1.0000 in every seed; a std of 0.0625 is not excluded |" in lines
    assert "| 95% interval of the mean | – |" in lines
    assert "| 95% interval from the number of rows | 0.6756 to 1.0000 |" in lines


def test_scores_that_are_no_share_of_rows_have_no_interval_from_them() -> None:
    lines = list_lines(make_report([0.8, 0.80003], metric="mcc"))
    assert "| mean ± std | 0.8000 ± 2e-05 |" in lines
    assert not any("number of rows" in line for line in lines)
