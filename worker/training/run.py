"""One run from start to end: from its spec to its events and artifacts.

seed -> split -> text -> encoder -> re-init -> head fit -> vocabulary -> mixout -> optimizer -> loop
-> evaluate -> export.
"""

from collections.abc import Callable, Iterator
from itertools import islice

import torch
import transformers

from shared.domain.naming import format_state_name
from shared.metrics import Scoring
from worker.training.async_metrics import READ_DELAY_STEPS
from worker.training.completion import TrainedNetwork, build_paused_event, finish_training
from worker.training.data.batches import iterate_shuffled_batches
from worker.training.data.soft_labels import apply_soft_labels
from worker.training.data.split import Split, Splits, load_splits
from worker.training.data.tokenization import Batch, TextCache
from worker.training.errors import build_stop_check
from worker.training.evaluation import EvaluationResult, evaluate_split
from worker.training.events import HeadFitted, RunEvent, Started
from worker.training.loop import TrainingPlan, TrainingSetup, train
from worker.training.malloc import keep_freed_memory
from worker.training.memory_gate import wait_for_memory
from worker.training.memory_reservations import MemoryReservations
from worker.training.model.checkpoint import create_best_checkpoint
from worker.training.model.forward import Forward
from worker.training.model.precision import create_compute_weights
from worker.training.network_setup import PreparedNetwork, prepare_network
from worker.training.optim.objective import build_training_objective
from worker.training.resume_state import load_state, save_state
from worker.training.run_diagnostics import History
from worker.training.seeding import make_deterministic
from worker.training.spec import RunSpec


def train_run(
    spec: RunSpec,
    should_stop: Callable[[], bool],
    cache: TextCache | None = None,
    should_pause: Callable[[], bool] = lambda: False,
    memory: MemoryReservations | None = None,
) -> Iterator[RunEvent]:
    """Train one seed of one job and write its artifacts to ``spec.output``.

    If ``should_pause`` is true after a step, the run pauses as at a ``stop_step``. ``cache`` keeps
    tokenized files between runs and does not affect the result. With ``memory`` the run waits until
    there is enough.

    Raise StopRequested within one batch of ``should_stop`` being true, TrainingDiverged,
    BaseModelUnreadable, NotEnoughMemory, and InvalidValue if the data do not fit the task.
    """
    check_stop = build_stop_check(spec.run_id, should_stop)
    check_stop()
    make_deterministic(spec.threads, spec.device)
    keep_freed_memory()
    cache = cache or TextCache()
    splits = apply_soft_labels(spec, load_splits(spec, cache, check_stop), cache, check_stop)
    scoring = Scoring(spec.task, spec.metric)
    yield from wait_for_memory(spec, splits, memory, check_stop, should_pause)
    prepared = prepare_network(spec, splits, check_stop)
    splits = prepared.vocabulary.renumber_splits(splits)
    setup = _build_setup(spec, splits, prepared)
    yield build_started_event(spec, splits, scoring, padding_free=setup.forward.padding_free)
    if prepared.fitted_head is not None and spec.state is None:
        yield HeadFitted(fit=prepared.fitted_head.fit)

    evaluate = ValidationScorer(setup.forward, splits.validation, scoring, check_stop)
    history = History() if spec.state is None else load_state(spec.state, setup, evaluate)
    batches = iterate_training_batches(
        spec, splits, setup.forward, check_stop, completed_steps=history.step
    )
    for event in train(setup, _build_plan(spec, setup, history), batches, evaluate, should_pause):
        history.record_event(event)
        yield event

    if history.step < spec.recipe.max_steps:
        folder = spec.output / format_state_name(history.step)
        save_state(folder, setup.network, setup.optimizer, setup.best, history)
        yield build_paused_event(spec, splits, history.step, evaluate.latest)
    else:
        trained = TrainedNetwork(
            setup.network, prepared.vocabulary, splits, setup.best, history, prepared.fitted_head
        )
        yield finish_training(spec, trained, check_stop)


def _build_setup(spec: RunSpec, splits: Splits, prepared: PreparedNetwork) -> TrainingSetup:
    recipe = spec.recipe
    compute_weights = create_compute_weights(prepared.network, recipe.precision)
    forward = Forward(compute_weights.module)
    return TrainingSetup(
        network=prepared.network,
        compute_weights=compute_weights,
        forward=forward,
        objective=build_training_objective(
            spec.task, recipe.class_weights, splits.train.list_labels(), forward.device
        ),
        optimizer=prepared.optimizer,
        best=create_best_checkpoint(recipe, spec.output),
    )


def _build_plan(spec: RunSpec, setup: TrainingSetup, history: History) -> TrainingPlan:
    return TrainingPlan(
        recipe=spec.recipe,
        data_seed=spec.data_seed,
        completed_steps=history.step,
        stop_step=spec.stop_step,
        read_delay=READ_DELAY_STEPS if setup.forward.device.type == "cuda" else 0,
    )


class ValidationScorer:
    """Evaluation of the current weights on the validation rows, with the latest result."""

    def __init__(
        self, forward: Forward, split: Split, scoring: Scoring, check_stop: Callable[[], None]
    ) -> None:
        self._arguments = forward, split, scoring, check_stop
        self._latest: EvaluationResult | None = None

    def __call__(self) -> EvaluationResult:
        self._latest = evaluate_split(*self._arguments)
        return self._latest

    @property
    def latest(self) -> EvaluationResult:
        """The result of the last call."""
        assert self._latest is not None, "training ends with an evaluation"
        return self._latest


def iterate_training_batches(
    spec: RunSpec,
    splits: Splits,
    forward: Forward,
    check_stop: Callable[[], None],
    *,
    completed_steps: int = 0,
) -> Iterator[Batch]:
    """Iterate endlessly over the training batches after the completed steps."""
    for rows in islice(
        iterate_shuffled_batches(splits.train.rows, spec.recipe.train_batch_size, spec.data_seed),
        completed_steps,
        None,
    ):
        check_stop()
        yield forward.build_batch(splits.train.text, rows)


def build_started_event(
    spec: RunSpec, splits: Splits, scoring: Scoring, *, padding_free: bool
) -> Started:
    """Build the first event of a run."""
    named_splits = splits.get_named_splits()
    return Started(
        total_steps=spec.recipe.max_steps,
        rows={name: len(split.rows) for name, split in named_splits.items()},
        truncated={name: split.count_truncated_rows() for name, split in named_splits.items()},
        majority_score={
            name: scoring.compute_constant_score(split.list_labels())
            for name, split in named_splits.items()
            if name != "train"
        },
        environment=describe_environment() | _describe_batches(spec, padding_free),
    )


def _describe_batches(spec: RunSpec, padding_free: bool) -> dict[str, str]:
    return {
        "threads": str(spec.threads),
        "device": spec.device,
        "batches": "padding_free" if padding_free else "padded",
    }


def describe_environment() -> dict[str, str]:
    """Return what must be equal for bitwise equal results, besides threads and device."""
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
    }
