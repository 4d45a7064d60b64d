"""Several runs of one job from start to end, side by side if that is faster."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from shared.domain.naming import format_state_name
from shared.metrics import Scoring
from worker.training.completion import TrainedNetwork, build_paused_event, finish_training
from worker.training.data.soft_labels import apply_soft_labels
from worker.training.data.split import Splits, load_splits
from worker.training.data.tokenization import TextCache
from worker.training.errors import StopRequested, TrainingDiverged, build_stop_check
from worker.training.events import HeadFitted, RunEvent
from worker.training.malloc import keep_freed_memory
from worker.training.memory_gate import choose_stack_for_memory, wait_for_memory
from worker.training.memory_reservations import MemoryReservations
from worker.training.multi_seed.compatibility import can_stack
from worker.training.multi_seed.evaluation import evaluate_stack
from worker.training.multi_seed.layers import NotStackable
from worker.training.multi_seed.loop import StackLoop, TaggedEvent
from worker.training.multi_seed.memory import choose_stack_size, estimate_seed_bytes, get_free_bytes
from worker.training.multi_seed.seed import SeedRun
from worker.training.multi_seed.stack import SeedStack
from worker.training.network_setup import apply_mixout, build_network
from worker.training.resume_state import (
    ResumeState,
    read_state_step,
    resume_candidates,
    save_state,
)
from worker.training.run import build_started_event, train_run
from worker.training.seeding import make_deterministic
from worker.training.spec import RunSpec


def train_runs(
    specs: Sequence[RunSpec],
    is_stopped: Callable[[str], bool],
    cache: TextCache | None = None,
    *,
    stack_size: int | None = None,
    compiled: bool = False,
    memory: MemoryReservations | None = None,
) -> Iterator[TaggedEvent]:
    """Train runs, compatible ones side by side, and yield each run's events with its id.

    The last item of a run is its ``Finished`` or ``Paused`` event, or the exception that ended it:
    ``StopRequested`` within one batch of ``is_stopped(run_id)`` being true, ``TrainingDiverged``,
    or another error. The other runs continue. A run's artifacts are in its ``output`` when its
    last item is yielded.

    ``stack_size`` limits how many runs are trained side by side. None chooses it by device, family
    and free memory; on a CPU it is 1. ``compiled`` compiles the blocks of a stack with torch, which
    takes about a minute at first and changes results by rounding. ``memory`` bounds what is trained
    on a CPU at a time.
    """
    trainer = _GroupTrainer(is_stopped, cache or TextCache(), memory, compiled=compiled)
    for group in _group_compatible_runs(specs):
        on_gpu = group[0].device.startswith("cuda")
        if len(group) == 1 or stack_size == 1 or (stack_size is None and not on_gpu):
            for spec in group:
                yield from trainer.train_alone(spec)
        else:
            yield from trainer.train_side_by_side(group, stack_size)


def _group_compatible_runs(specs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """Group the runs that can be trained side by side: compatible, and at the same first step."""
    groups: list[list[RunSpec]] = []
    for spec in specs:
        for group in groups:
            if can_stack(group[0], spec) and _get_first_step(group[0]) == _get_first_step(spec):
                group.append(spec)
                break
        else:
            groups.append([spec])
    return groups


def _get_first_step(spec: RunSpec) -> int:
    return read_state_step(spec.state) if spec.state else 0


class _GroupTrainer:
    """Trainer of compatible runs: one after the other, or side by side in stacks."""

    def __init__(
        self,
        is_stopped: Callable[[str], bool],
        cache: TextCache,
        memory: MemoryReservations | None,
        *,
        compiled: bool,
    ) -> None:
        self._is_stopped = is_stopped
        self._cache = cache
        self._memory = memory
        self._compiled = compiled

    def train_alone(self, spec: RunSpec) -> Iterator[TaggedEvent]:
        try:
            is_stopped = partial(self._is_stopped, spec.run_id)
            for event in train_run(spec, is_stopped, self._cache, memory=self._memory):
                yield spec.run_id, event
        except Exception as error:  # noqa: BLE001 (a failing run must not end the others)
            yield spec.run_id, error

    def train_side_by_side(
        self, specs: Sequence[RunSpec], stack_size: int | None
    ) -> Iterator[TaggedEvent]:
        """Train the runs in stacks, or one by one if their network cannot be stacked."""
        make_deterministic(specs[0].threads, specs[0].device)
        keep_freed_memory()
        try:
            check_stop = _build_group_check(specs, self._is_stopped)
            splits = load_splits(specs[0], self._cache, check_stop)
            splits = apply_soft_labels(specs[0], splits, self._cache, check_stop)
            seeds = [SeedRun(spec, splits) for spec in specs]
            wanted = min(stack_size or self._choose_stack_size(seeds, splits), len(seeds))
            stack_size = choose_stack_for_memory(specs[0], splits, self._memory, wanted)
            for event in wait_for_memory(
                specs[0], splits, self._memory, check_stop, stacked=stack_size, wanted=wanted
            ):
                yield specs[0].run_id, event
        except NotStackable:
            for spec in specs:
                yield from self.train_alone(spec)
        except Exception as error:  # noqa: BLE001 (a failing run must not end the others)
            yield from ((spec.run_id, error) for spec in specs)
        else:
            yield from self._train_stacks(seeds, splits, stack_size)

    def _choose_stack_size(self, seeds: Sequence[SeedRun], splits: Splits) -> int:
        check_stop = _build_group_check([seed.spec for seed in seeds], self._is_stopped)
        sample = SeedStack(seeds[:1], splits, check_stop)
        seed_bytes, device = estimate_seed_bytes(sample), sample.network.device
        del sample
        return choose_stack_size(get_free_bytes(device), seed_bytes, len(seeds))

    def _train_stacks(
        self, waiting: list[SeedRun], splits: Splits, stack_size: int
    ) -> Iterator[TaggedEvent]:
        """Train one stack after the other; seeds that a stack defers come first in the next.

        ``waiting`` is emptied in place, so that nothing keeps the weights of seeds that have ended.
        """
        while waiting:
            group = waiting[:stack_size]
            del waiting[:stack_size]
            deferred: list[SeedRun] = []
            for event in self._train_stack(group, splits, deferred):
                yield event
                for seed in [seed for seed in waiting if self._is_stopped(seed.run_id)]:
                    waiting.remove(seed)
                    yield seed.run_id, StopRequested(seed.run_id)
            if deferred:
                stack_size = min(stack_size, len(deferred))
            waiting[:0] = deferred

    def _train_stack(
        self, seeds: list[SeedRun], splits: Splits, deferred: list[SeedRun]
    ) -> Iterator[TaggedEvent]:
        """Train one stack to its end; add seeds that do not fit into memory to ``deferred``."""
        present = list(seeds)
        try:
            check_stop = _build_group_check([seed.spec for seed in seeds], self._is_stopped)
            stack = SeedStack(seeds, splits, check_stop, compiled=self._compiled)
            present = stack.seeds
            yield from _start_seeds(stack)
            yield from StackLoop(stack, self._is_stopped, deferred).run()
            yield from _finish_seeds(stack, self._is_stopped)
        except NotStackable:
            for seed in seeds:
                yield from self.train_alone(seed.spec)
        except Exception as error:  # noqa: BLE001 (a failing run must not end the others)
            yield from ((seed.run_id, error) for seed in present)


def _build_group_check(
    specs: Sequence[RunSpec], is_stopped: Callable[[str], bool]
) -> Callable[[], None]:
    """Build a function that raises StopRequested once all of the runs are stopped."""

    def check_stop() -> None:
        # ask about every run, because the calls are also the runs' signs of life
        stopped = [is_stopped(spec.run_id) for spec in specs]
        if all(stopped):
            raise StopRequested(", ".join(spec.run_id for spec in specs))

    return check_stop


def _start_seeds(stack: SeedStack) -> Iterator[TaggedEvent]:
    """Report the start of new seeds and load the resume states."""
    scoring = Scoring(stack.seeds[0].spec.task, stack.seeds[0].spec.metric)
    new = [seed for seed in stack.seeds if not seed.is_started]
    for seed in new:
        seed.is_started = True
        yield seed.run_id, build_started_event(seed.spec, stack.splits, scoring, padding_free=True)
        if seed.fitted_head is not None and seed.spec.state is None:
            yield seed.run_id, HeadFitted(fit=seed.fitted_head.fit)
    states = [seed.resume_state for seed in stack.seeds if seed.resume_state is not None]
    if not states:
        return
    if new and states[0].best_step:
        _restore_best_checkpoints(stack, states, scoring)
    stack.resume_from(states)
    for seed in stack.seeds:
        seed.resume_state = None


def _restore_best_checkpoints(
    stack: SeedStack, states: Sequence[ResumeState], scoring: Scoring
) -> None:
    """Evaluate the chosen weights of paused runs again: their predictions are not saved."""
    stack.load_weights([state.chosen_weights for state in states])
    evaluations = evaluate_stack(
        stack.forward, len(states), stack.splits.validation, scoring, lambda: None
    )
    for seed, state, evaluation in zip(stack.seeds, states, evaluations, strict=True):
        if isinstance(evaluation, TrainingDiverged):
            raise evaluation
        seed.best.resume_from(state.best_step, state.best_score, evaluation, state.best_weights)
        if seed.spec.state is not None:
            resume_candidates(seed.spec.state, seed.best)


def _finish_seeds(stack: SeedStack, is_stopped: Callable[[str], bool]) -> Iterator[TaggedEvent]:
    """Finish each seed by itself, like a single run."""
    stack.optimizer.zero_grad()
    for seed in stack.seeds:
        try:
            yield seed.run_id, _finish_seed(stack, seed, is_stopped)
        except Exception as error:  # noqa: BLE001 (a failing run must not end the others)
            yield seed.run_id, error


def _finish_seed(stack: SeedStack, seed: SeedRun, is_stopped: Callable[[str], bool]) -> RunEvent:
    spec, view = seed.spec, stack.get_seed_view(seed)
    check_stop = build_stop_check(spec.run_id, partial(is_stopped, spec.run_id))
    check_stop()
    if stack.step < spec.recipe.max_steps:
        folder = spec.output / format_state_name(stack.step)
        save_state(folder, view, view.optimizer, seed.best, seed.history)
        assert seed.latest_evaluation is not None, "training ends with an evaluation"
        return build_paused_event(spec, stack.splits, stack.step, seed.latest_evaluation)
    network = build_network(spec, stack.splits)  # to receive the seed's weights
    stack.vocabulary.cut_embeddings(network)
    apply_mixout(network, spec.recipe)
    network.load_state_dict(view.state_dict())
    trained = TrainedNetwork(
        network, stack.vocabulary, stack.splits, seed.best, seed.history, seed.fitted_head
    )
    return finish_training(spec, trained, check_stop)
