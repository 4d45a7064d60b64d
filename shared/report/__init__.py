"""The report over a job's seeds, the primary result. It is pure, so it can be built while runs
continue.
"""

from shared.report.assembly import build_stability_report
from shared.report.schemas import (
    Baseline,
    Caution,
    ConfusionMatrix,
    DegenerateRate,
    JobResults,
    ReportedRun,
    RunResult,
    Split,
    StabilityReport,
    Verdict,
)
from shared.report.verdict import MIN_SEEDS, STABLE_STD

__all__ = [
    "MIN_SEEDS",
    "STABLE_STD",
    "Baseline",
    "Caution",
    "ConfusionMatrix",
    "DegenerateRate",
    "JobResults",
    "ReportedRun",
    "RunResult",
    "Split",
    "StabilityReport",
    "Verdict",
    "build_stability_report",
]
