"""Input of the page: what is shown of one job."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.report.figures import SeedCurve
from shared.report.schemas import StabilityReport


@dataclass(frozen=True)
class JobSection:
    """One job on the page; several stand side by side."""

    title: str
    report: StabilityReport
    recipe: Mapping[str, object]
    """The resolved recipe, in display order."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Model, data, device and similar facts, as displayed."""
    curves: tuple[SeedCurve, ...] = ()
