"""Builders of comparisons for tests."""

from shared.report.comparison import Comparison, ComparisonInput, HypothesisTest, build_comparison
from tests.shared.reports import make_report


def compare(a: list[float], b: list[float], alpha: float = 0.05, **only_a: object) -> Comparison:
    return build_comparison(
        [
            ComparisonInput(make_report(a, job_id="ftjob-a", **only_a), preset="conventional"),
            ComparisonInput(make_report(b, job_id="ftjob-b"), preset="stabilized"),
        ],
        alpha,
    )


def get_test(comparison: Comparison, name: str) -> HypothesisTest:
    return next(test for test in comparison.pairs[0].tests if test.name == name)
