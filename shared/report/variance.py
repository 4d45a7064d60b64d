"""Components of variance: the spread of scores, divided among the seeds of initialization and
data, and the folds.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from shared.report.details import VarianceComponent, VarianceSplit
from shared.report.distribution import compute_mean

Factor = Literal["init_seed", "data_seed", "seed", "fold"]
ROUNDING_TOLERANCE = 1e-12
"""Share of the largest deviation: a mean square below its square consists of rounding errors."""
NO_VARIANCE = "all scores are equal, so there is no variance to split"


class Cell(NamedTuple):
    init_seed: int
    data_seed: int
    fold: int | None
    score: float


def split_variance(cells: Sequence[Cell]) -> VarianceSplit:
    """Run a random-effects analysis of variance of a complete grid with one run per cell: main
    effects and residual.

    With two factors of a and b levels: MS_A, MS_B on a - 1 and b - 1 degrees of freedom, MS_E
    on (a - 1)(b - 1); σ²_A = (MS_A - MS_E)/b, σ²_B = (MS_B - MS_E)/a, σ²_E = MS_E (Searle,
    Casella & McCulloch 1992, 4.2); further factors likewise, each over the number of runs per
    level. Negative estimates count as 0.
    """
    factors = _collect_varying_factors(cells)
    reason = _find_split_obstacle(cells, factors)
    if reason is not None:
        return VarianceSplit(runs=len(cells), components=None, reason=reason)
    variances = _estimate_components(cells, factors)
    total = sum(variances.values())
    if total == 0:  # scores so close that their squared differences vanish in a float
        return VarianceSplit(runs=len(cells), components=None, reason=NO_VARIANCE)
    components = [
        _build_component(
            name, len(set(factors[name])) if name != "residual" else None, value, total
        )
        for name, value in variances.items()
    ]
    return VarianceSplit(runs=len(cells), components=components, reason=None)


def _build_component(
    factor: Literal[Factor, "residual"], levels: int | None, variance: float, total: float
) -> VarianceComponent:
    return VarianceComponent(
        factor=factor,
        levels=levels,
        variance=variance,
        std=math.sqrt(variance),
        share=variance / total,
    )


def _collect_varying_factors(cells: Sequence[Cell]) -> dict[Factor, list[int]]:
    """Return the factors that vary, with each run's level. Seeds that always agree are one
    factor.
    """
    alike = all(cell.init_seed == cell.data_seed for cell in cells)
    levels: dict[Factor, list[int]] = (
        {"seed": [cell.init_seed for cell in cells]}
        if alike
        else {
            "init_seed": [cell.init_seed for cell in cells],
            "data_seed": [cell.data_seed for cell in cells],
        }
    )
    levels["fold"] = [cell.fold or 0 for cell in cells]
    return {name: values for name, values in levels.items() if len(set(values)) > 1}


def _find_split_obstacle(
    cells: Sequence[Cell], factors: Mapping[Factor, Sequence[int]]
) -> str | None:
    if len(factors) < 2:
        return (
            "init_seed and data_seed change together, or one of them not at all, so their effects "
            "cannot be separated; use a grid of both"
        )
    crossed = math.prod(len(set(levels)) for levels in factors.values())
    combinations = set(zip(*factors.values(), strict=True))
    if len(combinations) != crossed or len(cells) != crossed:
        return (
            f"the grid needs one scored run for each combination; {len(cells)} runs cover "
            f"{len(combinations)} of {crossed} combinations"
        )
    if len({cell.score for cell in cells}) == 1:
        return NO_VARIANCE
    return None


def _estimate_components(
    cells: Sequence[Cell], factors: Mapping[Factor, Sequence[int]]
) -> dict[Literal[Factor, "residual"], float]:
    scores = [cell.score for cell in cells]
    grand = compute_mean(scores)
    left = sum((score - grand) ** 2 for score in scores)
    freedom = len(scores) - 1
    squares: dict[Factor, tuple[float, int, float]] = {}  # mean square, levels, runs per level
    for name, levels in factors.items():
        by_level = [
            [s for s, at in zip(scores, levels, strict=True) if at == level]
            for level in sorted(set(levels))
        ]
        runs = len(by_level[0])
        of_factor = runs * sum((compute_mean(group) - grand) ** 2 for group in by_level)
        squares[name] = of_factor / (len(by_level) - 1), len(by_level), runs
        left -= of_factor
        freedom -= len(by_level) - 1
    rounding = (ROUNDING_TOLERANCE * max(abs(score - grand) for score in scores)) ** 2
    error = max(left / freedom, 0.0)
    residual = error if error > rounding else 0.0
    found: dict[Literal[Factor, "residual"], float] = {
        name: max((mean_square - residual) / runs, 0.0)
        for name, (mean_square, _, runs) in squares.items()
    }
    return found | {"residual": residual}
