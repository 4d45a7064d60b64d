"""Several runs of one job from top to bottom, side by side where that pays; to whoever records
them they are ordinary runs.
"""

from collections.abc import Callable, Iterator, Sequence

from shared.domain.naming import state_name
from shared.metrics import Scoring
from worker.training.data.split import Splits, load_splits
from worker.training.data.tokenization import TextCache
from worker.training.errors import StopRequested, TrainingDiverged
from worker.training.events import RunEvent
from worker.training.malloc import keep_freed_memory
from worker.training.multi_seed.compatibility import can_stack
from worker.training.multi_seed.evaluation import evaluate_stack
from worker.training.multi_seed.layers import NotStackable
from worker.training.multi_seed.loop import StackLoop, TaggedEvent
from worker.training.multi_seed.memory import choose_stack_size, estimate_seed_bytes, get_free_bytes
from worker.training.multi_seed.seed import SeedRun
from worker.training.multi_seed.stack import SeedStack
from worker.training.resume_state import read_state_step, save_state
from worker.training.run import (
    apply_mixout,
    build_network,
    build_paused_event,
    build_started_event,
    finish_training,
    train_run,
)
from worker.training.seeding import make_deterministic
from worker.training.spec import RunSpec


def train_runs(
    specs: Sequence[RunSpec],
    is_stopped: Callable[[str], bool],
    cache: TextCache | None = None,
    *,
    stack_size: int | None = None,
    compiled: bool = False,
) -> Iterator[TaggedEvent]:
    """Train runs, those that are ``alike`` side by side, and yield what happens to each, by its
    ``run_id``, in each run's own order.

    The last item of a run is its ``Finished`` or ``Paused``, or the exception that ended it:
    ``StopRequested`` within one batch of ``stopped(run_id)`` being true, ``TrainingDiverged``,
    or any other reason. One run's end leaves the others alone. Artefacts lie in each run's own
    ``output`` when its last item is yielded.

    ``width`` is how many are trained side by side at most; None has it chosen by device, family
    and free memory, which is 1 on a CPU. ``compiled`` has torch compile the blocks of a stack,
    which takes a minute first and changes results by rounding.
    """
    cache = cache or TextCache()
    for together in _group_compatible_runs(specs):
        if (
            len(together) == 1
            or stack_size == 1
            or (stack_size is None and not together[0].device.startswith("cuda"))
        ):
            for spec in together:
                yield from _train_alone(spec, is_stopped, cache)
        else:
            yield from _train_side_by_side(together, is_stopped, cache, stack_size, compiled)


def _group_compatible_runs(specs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """Those that may go side by side: alike, and from the beginning or from states of the same
    step.
    """
    companies: list[list[RunSpec]] = []
    for spec in specs:
        for company in companies:
            if can_stack(company[0], spec) and _get_first_step(company[0]) == _get_first_step(spec):
                company.append(spec)
                break
        else:
            companies.append([spec])
    return companies


def _get_first_step(spec: RunSpec) -> int:
    return read_state_step(spec.state) if spec.state else 0


def _train_alone(
    spec: RunSpec, is_stopped: Callable[[str], bool], cache: TextCache
) -> Iterator[TaggedEvent]:
    try:
        for event in train_run(spec, lambda: is_stopped(spec.run_id), cache):
            yield spec.run_id, event
    except Exception as problem:  # noqa: BLE001 (one run fails alone)
        yield spec.run_id, problem


def _train_side_by_side(
    specs: Sequence[RunSpec],
    is_stopped: Callable[[str], bool],
    cache: TextCache,
    stack_size: int | None,
    compiled: bool,
) -> Iterator[TaggedEvent]:
    make_deterministic(specs[0].threads, specs[0].device)
    keep_freed_memory()
    try:
        splits = load_splits(specs[0], cache, _build_stop_check(specs, is_stopped))
        waiting = [SeedRun(spec, splits) for spec in specs]
        stack_size = stack_size or _choose_stack_size(waiting, splits)
    except NotStackable:
        for spec in specs:
            yield from _train_alone(spec, is_stopped, cache)
        return
    except Exception as problem:  # noqa: BLE001 (one run fails alone)
        yield from ((spec.run_id, problem) for spec in specs)
        return
    while waiting:
        group, waiting = waiting[:stack_size], waiting[stack_size:]
        aside: list[SeedRun] = []
        for told in _train_stack(group, splits, is_stopped, cache, aside, compiled):
            yield told
            for seed in [seed for seed in waiting if is_stopped(seed.run_id)]:
                waiting.remove(seed)
                yield seed.run_id, StopRequested(seed.run_id)
        if aside:
            stack_size = min(stack_size, len(aside))
        waiting = [*aside, *waiting]


def _choose_stack_size(seeds: Sequence[SeedRun], splits: Splits) -> int:
    sample = SeedStack(seeds[:1], splits)
    need, device = estimate_seed_bytes(sample), sample.network.device
    del sample
    return choose_stack_size(get_free_bytes(device), need, len(seeds))


def _build_stop_check(
    specs: Sequence[RunSpec], is_stopped: Callable[[str], bool]
) -> Callable[[], None]:
    def check_stop() -> None:
        asked = [
            is_stopped(spec.run_id) for spec in specs
        ]  # every one: it is how the trainer hears that they live
        if all(asked):
            raise StopRequested(", ".join(spec.run_id for spec in specs))

    return check_stop


def _train_stack(
    seeds: list[SeedRun],
    splits: Splits,
    is_stopped: Callable[[str], bool],
    cache: TextCache,
    deferred: list[SeedRun],
    compiled: bool,
) -> Iterator[TaggedEvent]:
    """One stack from its beginning to its end; the seeds that memory does not suffice for are
    put ``aside``.
    """
    present = list(seeds)
    try:
        stack = SeedStack(seeds, splits, compiled=compiled)
        present = stack.seeds
        yield from _start_seeds(stack)
        loop = StackLoop(stack, is_stopped, deferred)
        yield from loop.run()
        yield from _finish_seeds(stack, is_stopped)
    except NotStackable:
        for seed in seeds:
            yield from _train_alone(seed.spec, is_stopped, cache)
    except Exception as problem:  # noqa: BLE001 (one run fails alone)
        yield from ((seed.run_id, problem) for seed in present)


def _start_seeds(stack: SeedStack) -> Iterator[TaggedEvent]:
    """Take up the states of those that go on from one."""
    judge = Scoring(stack.seeds[0].spec.task, stack.seeds[0].spec.metric)
    new = [seed for seed in stack.seeds if not seed.is_started]
    for seed in new:
        seed.is_started = True
        yield seed.run_id, build_started_event(seed.spec, stack.splits, judge, padding_free=True)
    states = [seed.resume_state for seed in stack.seeds if seed.resume_state is not None]
    if not states:
        return
    if new and states[0].best_step:
        stack.load_weights([state.chosen_weights for state in states])
        found = evaluate_stack(
            stack.forward, len(states), stack.splits.validation, judge, lambda: None
        )
        for seed, state, answers in zip(stack.seeds, states, found, strict=True):
            if isinstance(answers, TrainingDiverged):
                raise answers
            seed.best.resume_from(state.best_step, state.best_score, answers, state.best_weights)
    stack.resume_from(states)
    for seed in stack.seeds:
        seed.resume_state = None


def _finish_seeds(stack: SeedStack, is_stopped: Callable[[str], bool]) -> Iterator[TaggedEvent]:
    """Each seed by itself, as a single run ends."""
    stack.optimizer.zero_grad()
    for seed in stack.seeds:
        try:
            yield seed.run_id, _finish_seed(stack, seed, is_stopped)
        except Exception as problem:  # noqa: BLE001 (one run fails alone)
            yield seed.run_id, problem


def _finish_seed(stack: SeedStack, seed: SeedRun, is_stopped: Callable[[str], bool]) -> RunEvent:
    spec, share = seed.spec, stack.get_seed_view(seed)

    def check_stop() -> None:
        if is_stopped(spec.run_id):
            raise StopRequested(spec.run_id)

    check_stop()
    if stack.step < spec.recipe.max_steps:
        save_state(
            spec.output / state_name(stack.step), share, share.optimizer, seed.best, seed.history
        )
        assert seed.latest_evaluation is not None, "training ends with an evaluation"
        return build_paused_event(
            spec, stack.splits, Scoring(spec.task, spec.metric), stack.step, seed.latest_evaluation
        )
    network = build_network(spec, stack.splits)  # what the seed's share is put back into
    stack.vocabulary.cut_embeddings(network)
    apply_mixout(network, spec.recipe)
    network.load_state_dict(share.state_dict())
    return finish_training(
        spec, stack.splits, stack.vocabulary, network, seed.best, seed.history, check_stop
    )
