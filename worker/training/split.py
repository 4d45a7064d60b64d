"""The rows a run trains on, chooses its checkpoint by, and is tested on: the same for every seed of a job."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.datasets import stratified_split
from worker.training.spec import DataSpec
from worker.training.text import EncodedText, TextCache


@dataclass(frozen=True)
class Split:
    text: EncodedText
    """The whole file that the rows are of."""
    rows: Sequence[int]
    """Indices into the file's rows, from 0."""

    def labels(self) -> list[int]:
        return [self.text.labels[row] for row in self.rows]

    def truncated(self) -> int:
        return sum(self.text.truncated[row] for row in self.rows)


@dataclass(frozen=True)
class Splits:
    train: Split
    validation: Split
    test: Split | None

    def present(self) -> dict[str, Split]:
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}


def load_splits(spec: DataSpec, cache: TextCache, pause: Callable[[], None]) -> Splits:
    """Read, tokenise and split the run's files. Raises InvalidValue where they do not fit the task."""
    text = cache.encoded(spec.training_file, spec.task, spec.base_model, pause, param="training_file")
    rows = stratified_split(text.labels, spec.split, validation=spec.validation_file is None)
    if spec.validation_file is None:
        validation = Split(text, rows.validation)
    else:
        other = cache.encoded(spec.validation_file, spec.task, spec.base_model, pause, param="validation_file")
        validation = Split(other, range(len(other.labels)))
    return Splits(Split(text, rows.train), validation, Split(text, rows.test) if rows.test else None)
