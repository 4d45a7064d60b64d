"""The rows a run trains on, chooses its checkpoint by, and is tested on: the same for every
seed of a job.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.datasets import Examples, InputFile, get_group_column, split_files
from shared.domain.task import Label
from worker.training.data.tokenization import EncodedText, TextCache
from worker.training.spec import DataSpec


@dataclass(frozen=True)
class Split:
    text: EncodedText
    """The whole file that the rows are of."""
    rows: Sequence[int]
    """Indices into the file's rows, from 0."""

    def list_labels(self) -> list[Label]:
        return [self.text.labels[row] for row in self.rows]

    def select_examples(self) -> Examples:
        """Texts and labels of these rows, in their order: what a baseline needs, which reads no
        tokens.
        """
        return self.text.examples.select_rows(self.rows)

    def count_truncated_rows(self) -> int:
        return sum(self.text.truncated[row] for row in self.rows)


@dataclass(frozen=True)
class Splits:
    train: Split
    validation: Split
    test: Split | None

    def get_named_splits(self) -> dict[str, Split]:
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}


def load_splits(spec: DataSpec, cache: TextCache, check_stop: Callable[[], None]) -> Splits:
    """Read, tokenise and split the run's files. Raises InvalidValue where they do not fit the
    task.
    """
    given = {
        InputFile.TRAINING: spec.training_file,
        InputFile.VALIDATION: spec.validation_file,
        InputFile.TEST: spec.test_file,
    }
    texts = {
        source: cache.get_encoded_text(
            file,
            spec.task,
            spec.base_model,
            check_stop,
            param=source,
            group_by=get_group_column(spec.split, source),
        )
        for source, file in given.items()
        if file is not None
    }
    files = {source: text.examples for source, text in texts.items()}
    parts = split_files(files, spec.task.type, spec.split, spec.fold)
    train, validation = (
        Split(texts[part.source], part.rows) for part in (parts.train, parts.validation)
    )
    test = None if parts.test is None else Split(texts[parts.test.source], parts.test.rows)
    return Splits(train, validation, test)
