"""Several runs of one job, one after the other in one process."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from worker.training.events import Event
from worker.training.run import train_run
from worker.training.spec import RunSpec
from worker.training.text import TextCache


def train_runs(
    specs: Sequence[RunSpec], stopped: Callable[[str], bool], cache: TextCache | None = None
) -> Iterator[tuple[str, Event | Exception]]:
    """What happens to each run, by its ``run_id``; last its ``Finished`` or ``Paused``, or the exception that ended it."""
    for spec in specs:
        try:
            for event in train_run(spec, partial(stopped, spec.run_id), cache):
                yield spec.run_id, event
        except Exception as problem:  # noqa: BLE001 - one run's end is told, whatever it is, and the others go on
            yield spec.run_id, problem
