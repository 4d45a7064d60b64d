"""One query for the curves of all runs of a job, thinned to the steps that a figure can show.

The steps are known beforehand, so the database looks up single points by their primary key and
reads none that is not shown: a job of 20 runs of 2,000 steps costs as much as one of 200 steps.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from shared.db.downsampling import compute_positions
from shared.db.tables import Metric

Points = list[tuple[int, float]]
"""(step, value) by step."""


class CurveSteps(NamedTuple):
    """Points to look up: those of every named series of every run at every step."""

    run_ids: Sequence[str]
    names: Sequence[str]
    steps: Sequence[int]


def thin_steps(steps: Sequence[int], most: int) -> list[int]:
    """Choose at most ``most`` (2 or more) of the steps evenly, with the first and the last."""
    if len(steps) <= most:
        return list(steps)
    return [steps[place] for place in compute_positions(len(steps), most)]


def load_curves(
    session: Session, wanted: Sequence[CurveSteps]
) -> Mapping[str, Mapping[str, Points]]:
    """Return the recorded points among the wanted ones, by series name and run ID."""
    queries = [
        select(Metric.name, Metric.run_id, Metric.step, Metric.value).where(
            Metric.run_id.in_(part.run_ids),
            Metric.name.in_(part.names),
            Metric.step.in_(part.steps),
        )
        for part in wanted
        if part.run_ids
    ]
    found: dict[str, dict[str, Points]] = defaultdict(lambda: defaultdict(list))
    if not queries:
        return found
    for name, run_id, step, value in session.execute(union_all(*queries)):
        found[name][run_id].append((step, value))
    for by_run in found.values():
        for points in by_run.values():
            points.sort()
    return found
