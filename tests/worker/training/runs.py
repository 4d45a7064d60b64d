"""Data and specs of runs that train in well under a second."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from shared.domain.task import SplitRequest, Task, TaskType
from shared.recipe import Recipe
from worker.training.data.tokenization import EncodedText
from worker.training.events import Evaluation, Finished, RunEvent, Started, Step
from worker.training.run import train_run
from worker.training.spec import DataFile, RunSpec

GOOD = ("good", "joy", "delight", "lovely", "warm", "care")
BAD = ("bad", "dull", "no", "not", "long", "why")
FILLER = ("film", "story", "watch", "heart", "start", "end", "the", "a")


def make_review_rows(
    count: int, *, seed: int = 0, positive_share: float = 0.5, pairs: bool = False
) -> list[tuple[str, ...]]:
    """Return a header and rows whose label depends on one word of the (second) text."""
    draw = random.Random(seed)
    rows: list[tuple[str, ...]] = [("text", "other", "label") if pairs else ("text", "label")]
    for index in range(count):
        positive = index < count * positive_share
        words = [
            draw.choice(GOOD if positive else BAD),
            *draw.choices(FILLER, k=draw.randint(2, 9)),
        ]
        draw.shuffle(words)
        first = [" ".join(draw.choices(FILLER, k=draw.randint(1, 5)))] if pairs else []
        rows.append((*first, " ".join(words), "yes" if positive else "no"))
    return rows


def write_tsv(path: Path, rows: Sequence[tuple[str, ...]]) -> DataFile:
    """Write the rows, header first, to a file."""
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return DataFile(path=path, filename=path.name)


def make_recipe(**changes: object) -> Recipe:
    """Return a short stabilized recipe whose learning rate suits a tiny random encoder."""
    values: dict[str, object] = {
        "preset": "stabilized",
        "learning_rate": 5e-3,
        "bias_correction": True,
        "num_train_epochs": None,
        "max_steps": 12,
        "train_batch_size": 8,
        "reinit_pooler": False,  # not every family has one
        "reinit_layers": 1,
        "eval_points": 4,
    }
    return Recipe.model_validate(values | changes)


def make_task(**changes: object) -> Task:
    """Return the task of the reviews, with changes."""
    values: dict[str, object] = {
        "type": TaskType.SINGLE_LABEL,
        "text_column": "text",
        "text_pair_column": None,
        "label_column": "label",
        "header": True,
        "label_names": ["no", "yes"],
        "positive_label": "yes",
        "max_seq_length": 32,
    }
    return Task.model_validate(values | changes)


def make_spec(
    folder: Path,
    base_model: Path,
    *,
    rows: int = 60,
    recipe: Recipe | None = None,
    **changes: object,
) -> RunSpec:
    """Return the spec of a run on ``rows`` reviews in ``folder``, with a new output folder."""
    output = folder / f"output-{sum(1 for _ in folder.glob('output-*'))}"
    output.mkdir(parents=True)
    values: dict[str, object] = {
        "run_id": "ftrun-1",
        "base_model": base_model,
        "task": make_task(),
        "recipe": recipe or make_recipe(),
        "metric": "accuracy",
        "training_file": write_tsv(folder / "reviews.tsv", make_review_rows(rows)),
        "validation_file": None,
        "split": SplitRequest(validation_fraction=0.3),
        "init_seed": 1,
        "data_seed": 1,
        "threads": 1,
        "device": "cpu",
        "output": output,
    }
    return RunSpec.model_validate(values | changes)


def never_stop() -> None:
    """Do nothing, as a ``check_stop`` of a run that nobody stops."""


def iterate_events(spec: RunSpec) -> Iterator[RunEvent]:
    """Train a run that nobody stops and iterate over its events."""
    return train_run(spec, lambda: False)


class TrainedRun:
    """A trained run with its events, sorted by type."""

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        self.events = list(iterate_events(spec))
        self.steps = [event for event in self.events if isinstance(event, Step)]
        self.evaluations = [event for event in self.events if isinstance(event, Evaluation)]
        first, last = self.events[0], self.events[-1]
        assert isinstance(first, Started)
        assert isinstance(last, Finished)
        self.started, self.finished = first, last

    @property
    def losses(self) -> list[float]:
        """The training loss of every step."""
        return [step.train_loss for step in self.steps]


def build_text(ids: torch.Tensor, padding: int = 0) -> EncodedText:
    """Return an encoded text of one row with these ids."""
    return EncodedText({"input_ids": [ids]}, {"input_ids": padding}, None, [False])  # type: ignore[arg-type]
