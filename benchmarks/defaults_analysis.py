"""The comparisons of the page of defaults: the default job against each contender of its cell."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.contenders.records import Cell, Record
from shared.report.comparison.inference import welch_test

ALPHA = 0.05
REGRET_GOAL = 0.01
DEFAULT, CONTROL, GRID = "default", "conventional", "grid"
CONTENDER_ORDER = (DEFAULT, CONTROL, "conventional_own_rate", GRID, "setfit", "trainer")
TRIVIAL_BASELINES = frozenset({"majority", "mean"})


@dataclass(frozen=True)
class Standing:
    """The test scores of one contender or baseline in a cell."""

    name: str
    scores: Sequence[float]
    record: Record | None
    """None for a baseline, which has one score and no seeds."""

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.scores) if self.scores else None

    @property
    def std(self) -> float | None:
        """Sample standard deviation over the seeds; None below two."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None

    @property
    def worst(self) -> float | None:
        return min(self.scores, default=None)


@dataclass(frozen=True)
class Difference:
    """How the default's mean differs from another's."""

    other: str
    value: float
    """Mean of the default minus that of the other."""
    p: float | None
    """Two-sided: Welch's test over the seeds, for a baseline a one-sample t test; None if
    undefined.
    """

    @property
    def is_significant(self) -> bool:
        return self.p is not None and self.p < ALPHA


@dataclass(frozen=True)
class CellStandings:
    """Everybody's results in one cell."""

    cell: Cell
    metric: str
    test_rows: int
    standings: Sequence[Standing]
    skipped: dict[str, str]
    """Why a contender cannot take part, by its name."""

    def get(self, name: str) -> Standing | None:
        """Return the standing of this name, if it has scores."""
        return next((one for one in self.standings if one.name == name and one.scores), None)

    @property
    def regret(self) -> float | None:
        """The grid's mean minus the default's; None unless both are measured."""
        default, grid = self.get(DEFAULT), self.get(GRID)
        if default is None or grid is None:
            return None
        return statistics.fmean(grid.scores) - statistics.fmean(default.scores)

    @property
    def strongest_baseline(self) -> Standing | None:
        """The best score without fine-tuning, the constant answer included."""
        baselines = [one for one in self.standings if one.record is None]
        return max(baselines, key=lambda one: one.scores[0], default=None)

    def list_differences(self) -> list[Difference]:
        """Compare the default with everybody else; empty while it is not measured."""
        default = self.get(DEFAULT)
        if default is None:
            return []
        others = (one for one in self.standings if one.scores and one.name != DEFAULT)
        return [compare_standings(default, one) for one in others]


def group_records(records: Iterable[Record]) -> list[CellStandings]:
    """Group records by cell: by encoder and data set, small sizes first."""
    cells: dict[Cell, list[Record]] = {}
    for record in records:
        cells.setdefault(record.cell, []).append(record)
    return [_build_standings(cell, found) for cell, found in sorted(cells.items())]


def compare_standings(default: Standing, other: Standing) -> Difference:
    """Compare two means. Raises ValueError if one of them has no scores."""
    value = statistics.fmean(default.scores) - statistics.fmean(other.scores)
    if other.record is None:
        return Difference(other.name, value, _test_against_constant(default, other.scores[0]))
    return Difference(other.name, value, welch_test(tuple(other.scores), tuple(default.scores)).p)


def _test_against_constant(default: Standing, constant: float) -> float | None:
    """Return Student's one-sample p: a baseline has no seeds, so only the default varies."""
    if not default.std:
        return None
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(default.scores, constant).pvalue)


def _build_standings(cell: Cell, records: Sequence[Record]) -> CellStandings:
    contenders = sorted(records, key=lambda one: CONTENDER_ORDER.index(one.contender))
    measured = [
        Standing(one.contender, one.scores, one) for one in contenders if one.skipped is None
    ]
    with_baselines = next((one for one in contenders if one.baselines), None)
    baselines = with_baselines.baselines if with_baselines is not None else {}
    return CellStandings(
        cell,
        contenders[0].metric,
        contenders[0].test_rows,
        [
            *measured,
            *(Standing(name, [x], None) for name, x in baselines.items() if x is not None),
        ],
        {one.contender: one.skipped for one in contenders if one.skipped is not None},
    )
