"""Findings on a pair of jobs: their tests, as they count in the whole comparison."""

from dataclasses import dataclass

from shared.report.comparison.schemas import ComparisonInput, HypothesisTest
from shared.report.formatting import choose_run_noun


@dataclass(frozen=True)
class PairFindings:
    a: ComparisonInput
    b: ComparisonInput
    tests: tuple[HypothesisTest, ...]
    alpha: float
    pair_count: int
    """Pairs in the whole comparison."""
    smallest_attainable_p: float | None
    """The smallest p that the permutation test can reach with so many seeds, after Holm, if every
    pair differs as much as possible.
    """

    @property
    def metric(self) -> str:
        return self.a.report.metric

    @property
    def run_noun(self) -> str:
        """What to call the counted runs of either job in sentences."""
        return choose_run_noun([*self.a.report.runs, *self.b.report.runs])

    def get_p(self, test_name: str) -> float | None:
        """Return the test's p as it counts: adjusted if there are several pairs."""
        test = next(test for test in self.tests if test.name == test_name)
        return test.p if self.pair_count == 1 else test.p_holm

    def is_significant(self, test_name: str) -> bool:
        return (p := self.get_p(test_name)) is not None and p <= self.alpha
