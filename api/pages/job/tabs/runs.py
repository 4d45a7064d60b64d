"""The tab of the runs: a table that can be sorted, with logs and diagnosis."""

from collections.abc import Callable
from typing import Any

from api.pages.job.page import JobPage, Tab
from api.runs.schemas import RunObject

ORDERS: dict[str, Callable[[RunObject], Any]] = {
    "seed": lambda run: run.seed,
    "state": lambda run: run.status,
    "step": lambda run: run.step,
    "validation": lambda run: run.validation_score,
    "score": lambda run: run.score,
}


def build(shown: JobPage) -> dict[str, object]:
    order = shown.page.query.get("sort", "seed")
    name = order.removeprefix("-")
    if name not in ORDERS:
        order = name = "seed"
    return {"sorted_runs": _sort(shown.runs, name, is_reversed=order != name), "order": order}


def _sort(runs: list[RunObject], name: str, *, is_reversed: bool) -> list[RunObject]:
    """Sort runs; those without a value come last in both directions."""
    get_value = ORDERS[name]
    known = [run for run in runs if get_value(run) is not None]
    unknown = [run for run in runs if get_value(run) is None]
    return sorted(known, key=get_value, reverse=is_reversed) + unknown


TAB = Tab("runs", "Runs", 30, "job/runs.html.j2", build)
