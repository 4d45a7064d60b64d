"""Our own training and ``transformers.Trainer`` (``reference.py``) step by step on the same
rows of a GLUE task.

Ours is ``train_run``, all that the service's trainer process does between the events of two
steps.
"""

import json
import time
from collections.abc import Iterator
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
    precisions: tuple[Precision, ...]
    batch_size: int
    threads: int
    rounds: int
    steps: int
    """Counted steps of a round."""
    warm_up: int
    """Steps of a round that are not counted, before these."""
    equal_steps: int
    base_model: Path

    def build_recipe(self, precision: Precision, max_steps: int) -> Recipe:
        """Plain fine-tuning with the bias correction, all of which Trainer can do too; its one
        evaluation is at the last step.
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
    """A task's rows, for both sides."""

    plan: StepTimePlan
    task: GlueTask
    resolved_task: Task
    scratch: Path
    cache: TextCache

    def build_spec(self, precision: Precision, max_steps: int, base_model: Path) -> RunSpec:
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
        return load_splits(spec, self.cache, lambda: None)

    def iterate_batches(self, spec: RunSpec) -> Iterator[list[int]]:
        return iterate_shuffled_batches(
            self.load_task_splits(spec).train.rows, self.plan.batch_size, spec.data_seed
        )

    def count_row_tokens(self) -> list[int]:
        """Tokens of each training row."""
        train = self.load_task_splits(self.build_spec("float32", 1, self.plan.base_model)).train
        return train.text.list_lengths(train.rows)

    def create_own_run(self, spec: RunSpec) -> "OwnRun":
        return OwnRun(train_run(spec, lambda: False, self.cache))

    def create_reference(self, spec: RunSpec) -> TrainerReference:
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
    """A run under way."""

    def __init__(self, events: Iterator[RunEvent]) -> None:
        self._events = events
        next(events)  # started: the data are read, the network is built

    def train(self, steps: int) -> tuple[list[float], list[float]]:
        """Seconds and losses of the next steps."""
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


def measure_times(bench: TaskBench) -> Times:
    plan = bench.plan
    a_round = plan.warm_up + plan.steps
    specs = [
        bench.build_spec(precision, plan.rounds * a_round + 1, plan.base_model)
        for precision in plan.precisions
    ]
    batches = bench.iterate_batches(specs[0])
    ours = {spec.recipe.precision: bench.create_own_run(spec) for spec in specs}
    references = {spec.recipe.precision: bench.create_reference(spec) for spec in specs}
    times: Times = {
        side: {precision: [] for precision in plan.precisions} for side in ("trainer", "evenkeel")
    }
    for number in range(plan.rounds):
        rows = list(islice(batches, a_round))
        turns = [
            *(
                ("trainer", precision, partial(references[precision].train, rows))
                for precision in plan.precisions
            ),
            *(
                ("evenkeel", precision, partial(ours[precision].train, a_round))
                for precision in plan.precisions
            ),
        ]
        for side, precision, train in turns if number % 2 == 0 else reversed(turns):
            seconds, _ = train()
            times[side][precision].append([1000 * second for second in seconds[plan.warm_up :]])
    return times


def find_largest_loss_difference(bench: TaskBench) -> float:
    """Of a step's loss on the two sides, over ``equal_steps`` steps in float32 without dropout,
    from the same weights.
    """
    spec = bench.build_spec(
        "float32",
        bench.plan.equal_steps,
        copy_without_dropout(bench.plan.base_model, bench.scratch / "base"),
    )
    rows = list(islice(bench.iterate_batches(spec), bench.plan.equal_steps))
    _, theirs = bench.create_reference(spec).train(rows, keep_losses=True)
    _, losses = bench.create_own_run(spec).train(len(rows))
    return max(abs(their - our) for their, our in zip(theirs, losses, strict=True))


def copy_without_dropout(base_model: Path, copy: Path) -> Path:
    """The same files, but for the probabilities in its config."""
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
    """Torch's operators in our steps, by the time spent in themselves."""
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
