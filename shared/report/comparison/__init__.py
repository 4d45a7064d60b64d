"""Whether one job is better than another, as far as their seeds can tell. Pure, as the report is."""

from shared.report.comparison.compare import compare
from shared.report.comparison.schemas import (
    ComparedJob,
    Comparison,
    ComparisonVerdict,
    Contender,
    EffectSize,
    HypothesisTest,
    Pair,
)

__all__ = [
    "ComparedJob",
    "Comparison",
    "ComparisonVerdict",
    "Contender",
    "EffectSize",
    "HypothesisTest",
    "Pair",
    "compare",
]
