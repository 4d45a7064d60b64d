"""Vertical axis of the figures of curves, also where all values are equal."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from shared.report.base import Interval

if TYPE_CHECKING:
    import altair

FLAT_SPAN = 0.1
"""Height of an axis of equal values. Without one its labels are rounded: 0.5 would read as 1."""
WHOLE_STEPS = "datum.value % 1 ? '' : format(datum.value, ',')"
"""Labels of an axis of steps: none between whole numbers, where few steps have ticks."""
UNBOUNDED: Interval = (-math.inf, math.inf)


def build_value_scale(
    values: Iterable[float | None], bounds: Interval = UNBOUNDED
) -> "altair.Scale":
    """Build a scale of all finite values; ``bounds`` are the range of what is drawn."""
    import altair as alt

    drawn = [value for value in values if value is not None and math.isfinite(value)]
    if not drawn:
        return alt.Scale(zero=False, nice=True)
    low, high = min(drawn), max(drawn)
    if low == high:
        low, high = max(low - FLAT_SPAN / 2, bounds[0]), min(high + FLAT_SPAN / 2, bounds[1])
    return alt.Scale(zero=False, nice=True, domain=[low, high])
