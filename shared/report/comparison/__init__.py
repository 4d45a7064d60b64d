"""Comparisons of jobs: whether one is better than another, as far as their seeds can tell.
Pure, like the report.
"""

from shared.report.comparison.compare import build_comparison
from shared.report.comparison.schemas import (
    ComparedJob,
    Comparison,
    ComparisonInput,
    ComparisonVerdict,
    EffectSize,
    HypothesisTest,
    Pair,
)

__all__ = [
    "ComparedJob",
    "Comparison",
    "ComparisonInput",
    "ComparisonVerdict",
    "EffectSize",
    "HypothesisTest",
    "Pair",
    "build_comparison",
]
