"""Several runs of one job from top to bottom, side by side where that pays; to whoever records them they are ordinary runs."""

from collections.abc import Callable, Iterator, Sequence

from shared.domain.naming import state_name
from shared.metrics import Scoring
from worker.training.data.split import Splits, load_splits
from worker.training.data.tokenization import TextCache
from worker.training.errors import Diverged, Stopped
from worker.training.events import Event
from worker.training.malloc import keep_freed_memory
from worker.training.multi_seed.compatibility import alike
from worker.training.multi_seed.evaluation import evaluate_stack
from worker.training.multi_seed.layers import NotStackable
from worker.training.multi_seed.loop import StackLoop, Told
from worker.training.multi_seed.memory import free_bytes, need_of_seed, width_in
from worker.training.multi_seed.seed import Seed
from worker.training.multi_seed.stack import Stack
from worker.training.resume_state import save_state, step_of_state
from worker.training.run import build_network, conclude, paused, started, train_run, under_mixout
from worker.training.seeding import make_deterministic
from worker.training.spec import RunSpec


def train_runs(
    specs: Sequence[RunSpec],
    stopped: Callable[[str], bool],
    cache: TextCache | None = None,
    *,
    width: int | None = None,
    compiled: bool = False,
) -> Iterator[Told]:
    """Train runs, those that are ``alike`` side by side, and yield what happens to each, by its ``run_id``, in each run's own order.

    The last item of a run is its ``Finished`` or ``Paused``, or the exception that ended it: ``Stopped`` within one batch of
    ``stopped(run_id)`` being true, ``Diverged``, or any other reason. One run's end leaves the others alone. Artefacts lie in each
    run's own ``output`` when its last item is yielded.

    ``width`` is how many are trained side by side at most; None has it chosen by device, family and free memory, which is 1 on a CPU.
    ``compiled`` has torch compile the blocks of a stack, which takes a minute first and changes results by rounding.
    """
    cache = cache or TextCache()
    for together in _companies(specs):
        if (
            len(together) == 1
            or width == 1
            or (width is None and not together[0].device.startswith("cuda"))
        ):
            for spec in together:
                yield from _alone(spec, stopped, cache)
        else:
            yield from _side_by_side(together, stopped, cache, width, compiled)


def _companies(specs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """Those that may go side by side: alike, and from the beginning or from states of the same step."""
    companies: list[list[RunSpec]] = []
    for spec in specs:
        for company in companies:
            if alike(company[0], spec) and _step(company[0]) == _step(spec):
                company.append(spec)
                break
        else:
            companies.append([spec])
    return companies


def _step(spec: RunSpec) -> int:
    return step_of_state(spec.state) if spec.state else 0


def _alone(spec: RunSpec, stopped: Callable[[str], bool], cache: TextCache) -> Iterator[Told]:
    try:
        for event in train_run(spec, lambda: stopped(spec.run_id), cache):
            yield spec.run_id, event
    except Exception as problem:  # noqa: BLE001 (one run fails alone)
        yield spec.run_id, problem


def _side_by_side(
    specs: Sequence[RunSpec],
    stopped: Callable[[str], bool],
    cache: TextCache,
    width: int | None,
    compiled: bool,
) -> Iterator[Told]:
    make_deterministic(specs[0].threads, specs[0].device)
    keep_freed_memory()
    try:
        splits = load_splits(specs[0], cache, _unless_all(specs, stopped))
        waiting = [Seed(spec, splits) for spec in specs]
        width = width or _width_by_memory(waiting, splits)
    except NotStackable:
        for spec in specs:
            yield from _alone(spec, stopped, cache)
        return
    except Exception as problem:  # noqa: BLE001 (one run fails alone)
        yield from ((spec.run_id, problem) for spec in specs)
        return
    while waiting:
        group, waiting = waiting[:width], waiting[width:]
        aside: list[Seed] = []
        for told in _group(group, splits, stopped, cache, aside, compiled):
            yield told
            for seed in [seed for seed in waiting if stopped(seed.run_id)]:
                waiting.remove(seed)
                yield seed.run_id, Stopped(seed.run_id)
        if aside:
            width = min(width, len(aside))
        waiting = [*aside, *waiting]


def _width_by_memory(seeds: Sequence[Seed], splits: Splits) -> int:
    sample = Stack(seeds[:1], splits)
    need, device = need_of_seed(sample), sample.network.device
    del sample
    return width_in(free_bytes(device), need, len(seeds))


def _unless_all(specs: Sequence[RunSpec], stopped: Callable[[str], bool]) -> Callable[[], None]:
    def pause() -> None:
        asked = [
            stopped(spec.run_id) for spec in specs
        ]  # every one: it is how the trainer hears that they live
        if all(asked):
            raise Stopped(", ".join(spec.run_id for spec in specs))

    return pause


def _group(
    group: list[Seed],
    splits: Splits,
    stopped: Callable[[str], bool],
    cache: TextCache,
    aside: list[Seed],
    compiled: bool,
) -> Iterator[Told]:
    """One stack from its beginning to its end; the seeds that memory does not suffice for are put ``aside``."""
    present = list(group)
    try:
        stack = Stack(group, splits, compiled=compiled)
        present = stack.seeds
        yield from _begin(stack)
        loop = StackLoop(stack, stopped, aside)
        yield from loop.run()
        yield from _end(stack, stopped)
    except NotStackable:
        for seed in group:
            yield from _alone(seed.spec, stopped, cache)
    except Exception as problem:  # noqa: BLE001 (one run fails alone)
        yield from ((seed.run_id, problem) for seed in present)


def _begin(stack: Stack) -> Iterator[Told]:
    """Take up the states of those that go on from one."""
    judge = Scoring(stack.seeds[0].spec.task, stack.seeds[0].spec.metric)
    new = [seed for seed in stack.seeds if not seed.started]
    for seed in new:
        seed.started = True
        yield seed.run_id, started(seed.spec, stack.splits, judge, padding_free=True)
    states = [seed.state for seed in stack.seeds if seed.state is not None]
    if not states:
        return
    if new and states[0].best_step:
        stack.load([state.best_or_last for state in states])
        found = evaluate_stack(
            stack.forward, len(states), stack.splits.validation, judge, lambda: None
        )
        for seed, state, answers in zip(stack.seeds, states, found, strict=True):
            if isinstance(answers, Diverged):
                raise answers
            seed.best.resume(state.best_step, state.best_score, answers, state.best_weights)
    stack.take_up(states)
    for seed in stack.seeds:
        seed.state = None


def _end(stack: Stack, stopped: Callable[[str], bool]) -> Iterator[Told]:
    """Each seed by itself, as a single run ends."""
    stack.optimizer.zero_grad()
    for seed in stack.seeds:
        try:
            yield seed.run_id, _last_event(stack, seed, stopped)
        except Exception as problem:  # noqa: BLE001 (one run fails alone)
            yield seed.run_id, problem


def _last_event(stack: Stack, seed: Seed, stopped: Callable[[str], bool]) -> Event:
    spec, share = seed.spec, stack.share(seed)

    def pause() -> None:
        if stopped(spec.run_id):
            raise Stopped(spec.run_id)

    pause()
    if stack.step < spec.recipe.max_steps:
        save_state(
            spec.output / state_name(stack.step), share, share.optimizer, seed.best, seed.history
        )
        assert seed.answers is not None, "training ends with an evaluation"
        return paused(spec, stack.splits, Scoring(spec.task, spec.metric), stack.step, seed.answers)
    network = build_network(spec, stack.splits)  # what the seed's share is put back into
    stack.vocabulary.cut(network)
    under_mixout(network, spec.recipe)
    network.load_state_dict(share.state_dict())
    return conclude(spec, stack.splits, stack.vocabulary, network, seed.best, seed.history, pause)
