"""Times of single steps of our training and of ``transformers.Trainer`` (``reference.py``) on
the same rows of a GLUE task.

Our side is ``train_run``: everything that the service's trainer process does between two steps.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from benchmarks.glue import GlueTask, get_glue_folder
from benchmarks.reference import TrainerReference
from shared.domain.task import SplitRequest, Task
from shared.recipe import Precision, Recipe
from worker.training.data.batches import iterate_shuffled_batches
from worker.training.data.split import Splits, load_splits
from worker.training.data.tokenization import TextCache
from worker.training.data.tokenizer import load_tokenizer
from worker.training.events import RunEvent, Step
from worker.training.network_setup import build_network
from worker.training.run import train_run
from worker.training.seeding import make_deterministic
from worker.training.spec import DataFile, RunSpec


@dataclass(frozen=True)
class StepTimePlan:
    """The size of the measurement."""

    precisions: tuple[Precision, ...]
    batch_size: int
    threads: int
    rounds: int
    steps: int
    """Counted steps per round."""
    warm_up: int
    """Steps before these, which do not count."""
    equal_steps: int
    """Steps over which the losses of the two sides are compared."""
    base_model: Path

    def build_recipe(self, precision: Precision, max_steps: int) -> Recipe:
        """Build the recipe of plain fine-tuning with bias correction, which Trainer can do too.

        Its only evaluation is at the last step.
        """
        return Recipe(
            preset="debiased",
            learning_rate=5e-5,
            bias_correction=True,
            num_train_epochs=None,
            max_steps=max_steps,
            train_batch_size=self.batch_size,
            reinit_pooler=False,
            reinit_layers=0,
            eval_points=1,
            precision=precision,
        )


@dataclass(frozen=True)
class TaskBench:
    """A task whose rows both sides train."""

    plan: StepTimePlan
    task: GlueTask
    resolved_task: Task
    scratch: Path
    cache: TextCache

    def build_spec(self, precision: Precision, max_steps: int, base_model: Path) -> RunSpec:
        """Build the spec of a run that exports nothing."""
        source = get_glue_folder() / self.task.name
        return RunSpec(
            run_id="benchmark",
            base_model=base_model,
            task=self.resolved_task,
            metric=self.task.metric,
            training_file=DataFile(path=source / "train.tsv", filename="train.tsv"),
            validation_file=DataFile(path=source / "dev.tsv", filename="dev.tsv"),
            split=SplitRequest(),
            recipe=self.plan.build_recipe(precision, max_steps),
            init_seed=0,
            data_seed=0,
            threads=self.plan.threads,
            device="cpu",
            output=self.scratch,
            export=False,
        )

    def load_task_splits(self, spec: RunSpec) -> Splits:
        """Load the tokenized rows of the task."""
        return load_splits(spec, self.cache, lambda: None)

    def iterate_batches(self, spec: RunSpec) -> Iterator[list[int]]:
        """Iterate over the batches that the spec's run trains."""
        return iterate_shuffled_batches(
            self.load_task_splits(spec).train.rows, self.plan.batch_size, spec.data_seed
        )

    def count_row_tokens(self) -> list[int]:
        """Count the tokens of each training row."""
        train = self.load_task_splits(self.build_spec("float32", 1, self.plan.base_model)).train
        return train.text.list_lengths(train.rows)

    def create_own_run(self, spec: RunSpec) -> "OwnRun":
        """Start a run of our own training."""
        return OwnRun(train_run(spec, lambda: False, self.cache))

    def create_reference(self, spec: RunSpec) -> TrainerReference:
        """Create a Trainer from the same weights as the spec's run."""
        splits = self.load_task_splits(spec)
        make_deterministic(spec.threads, spec.device)
        return TrainerReference(
            build_network(spec, splits),
            load_tokenizer(spec.base_model),
            splits.train,
            spec.recipe,
            self.scratch,
        )


class OwnRun:
    """A started run of our own training."""

    def __init__(self, events: Iterator[RunEvent]) -> None:
        self._events = events
        next(events)  # reads the data and builds the network

    def train(self, steps: int) -> tuple[list[float], list[float]]:
        """Train the next steps; returns the seconds and the loss of each."""
        seconds, losses = [], []
        for _ in range(steps):
            began = time.perf_counter()
            event = next(self._events)
            seconds.append(time.perf_counter() - began)
            assert isinstance(event, Step), "the one evaluation comes after the last step"
            losses.append(event.train_loss)
        return seconds, losses


Times = dict[str, dict[str, list[list[float]]]]
"""Milliseconds of the counted steps by side (``trainer``, ``evenkeel``), precision and round."""


Turn = tuple[str, Precision, Callable[[], tuple[list[float], list[float]]]]
"""A side, a precision, and the function that trains a round and returns seconds and losses."""


def measure_times(bench: TaskBench) -> Times:
    """Train both sides in turn at each precision; returns the times of the counted steps."""
    plan = bench.plan
    round_steps = plan.warm_up + plan.steps
    specs = [
        bench.build_spec(precision, plan.rounds * round_steps + 1, plan.base_model)
        for precision in plan.precisions
    ]
    batches = bench.iterate_batches(specs[0])
    list_turns = _start_sides(bench, specs, round_steps)
    times: Times = {
        side: {precision: [] for precision in plan.precisions} for side in ("trainer", "evenkeel")
    }
    for number in range(plan.rounds):
        turns = list_turns(list(islice(batches, round_steps)))
        for side, precision, train in turns if number % 2 == 0 else reversed(turns):
            seconds, _ = train()
            times[side][precision].append([1000 * second for second in seconds[plan.warm_up :]])
    return times


def _start_sides(
    bench: TaskBench, specs: Sequence[RunSpec], round_steps: int
) -> Callable[[list[list[int]]], list[Turn]]:
    """Start both sides of every spec; returns a function from a round's batches to its turns."""
    ours = {spec.recipe.precision: bench.create_own_run(spec) for spec in specs}
    references = {spec.recipe.precision: bench.create_reference(spec) for spec in specs}

    def list_turns(batches: list[list[int]]) -> list[Turn]:
        return [
            *(("trainer", key, partial(side.train, batches)) for key, side in references.items()),
            *(("evenkeel", key, partial(side.train, round_steps)) for key, side in ours.items()),
        ]

    return list_turns


def find_largest_loss_difference(bench: TaskBench) -> float:
    """Find the largest difference between the two sides' losses of a step.

    Both train ``equal_steps`` steps in float32 without dropout, from the same weights.
    """
    base_model = _copy_without_dropout(bench.plan.base_model, bench.scratch / "base")
    spec = bench.build_spec("float32", bench.plan.equal_steps, base_model)
    rows = list(islice(bench.iterate_batches(spec), bench.plan.equal_steps))
    _, theirs = bench.create_reference(spec).train(rows, keep_losses=True)
    _, losses = bench.create_own_run(spec).train(len(rows))
    return max(abs(their - our) for their, our in zip(theirs, losses, strict=True))


def _copy_without_dropout(base_model: Path, copy: Path) -> Path:
    """Link the files of the base model, with a config whose dropout probabilities are 0."""
    copy.mkdir(exist_ok=True)
    for file in base_model.iterdir():
        (copy / file.name).unlink(missing_ok=True)
        (copy / file.name).symlink_to(file.resolve())
    config = json.loads((base_model / "config.json").read_text(encoding="utf-8"))
    off = {
        name: 0.0
        for name, value in config.items()
        if "dropout" in name and isinstance(value, float)
    }
    (copy / "config.json").unlink()
    (copy / "config.json").write_text(json.dumps(config | off), encoding="utf-8")
    return copy


def profile_steps(bench: TaskBench, precision: Precision) -> str:
    """Format a table of the torch operators in our steps, by their own time."""
    plan = bench.plan
    ours = bench.create_own_run(
        bench.build_spec(precision, plan.warm_up + plan.steps + 1, plan.base_model)
    )
    ours.train(plan.warm_up)
    with profile(activities=[ProfilerActivity.CPU]) as found:
        ours.train(plan.steps)
    table: str = found.key_averages().table(
        sort_by="self_cpu_time_total", row_limit=30, max_name_column_width=60
    )
    return f"{bench.task.name}, {precision}, {plan.steps} steps of batch {plan.batch_size}\n{table}"
