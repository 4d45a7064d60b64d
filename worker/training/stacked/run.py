"""Several runs of one job from top to bottom, side by side where that pays; to whoever records them they are ordinary runs."""

from collections.abc import Callable, Iterator, Sequence

from worker.training.errors import Stopped
from worker.training.events import Event
from worker.training.run import train_run
from worker.training.spec import RunSpec
from worker.training.text import TextCache


def train_runs(
    specs: Sequence[RunSpec],
    stopped: Callable[[str], bool],
    cache: TextCache | None = None,
    *,
    width: int | None = None,
) -> Iterator[tuple[str, Event | Exception]]:
    """Train runs that are ``alike``, and yield what happens to each of them, by its ``run_id``, in each run's own order.

    The last item of a run is its ``Finished`` or ``Paused``, or the exception that ended it: ``Stopped`` within one batch of
    ``stopped(run_id)`` being true, ``Diverged``, or any other reason. One run's end leaves the others alone. Artefacts lie in each
    run's own ``output`` when its last item is yielded.

    ``width`` is how many are trained side by side at most; None has it chosen by device, family and free memory, which is 1 on a CPU.
    """
    for spec in specs:
        yield from _alone(spec, stopped, cache)


def _alone(
    spec: RunSpec, stopped: Callable[[str], bool], cache: TextCache | None
) -> Iterator[tuple[str, Event | Exception]]:
    try:
        for event in train_run(spec, lambda: stopped(spec.run_id), cache):
            yield spec.run_id, event
    except Stopped as stop:
        yield spec.run_id, stop
    except Exception as problem:  # noqa: BLE001 - one run's end is told, whatever it is, and the others go on
        yield spec.run_id, problem
