"""Training, validation and test rows of a run: the same for every seed of a job."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.datasets import Examples, InputFile, get_group_column, split_files
from shared.domain.task import Label
from worker.training.data.tokenization import EncodedText, TextCache
from worker.training.spec import DataFile, DataSpec


@dataclass(frozen=True)
class Split:
    """Some rows of a file."""

    text: EncodedText
    """The whole file."""
    rows: Sequence[int]
    """Indices of the split's rows, from 0."""

    def list_labels(self) -> list[Label]:
        return [self.text.labels[row] for row in self.rows]

    def select_examples(self) -> Examples:
        """Return texts and labels, without tokens, in the order of the rows."""
        return self.text.examples.select_rows(self.rows)

    def count_truncated_rows(self) -> int:
        return sum(self.text.truncated[row] for row in self.rows)


@dataclass(frozen=True)
class Splits:
    """The splits of one run."""

    train: Split
    validation: Split
    test: Split | None

    def get_named_splits(self) -> dict[str, Split]:
        """Return the existing splits by name."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}


def load_splits(spec: DataSpec, cache: TextCache, check_stop: Callable[[], None]) -> Splits:
    """Read, tokenize and split the run's files. Raise InvalidValue if they do not fit the task."""
    texts = _encode_files(spec, cache, check_stop)
    files = {source: text.examples for source, text in texts.items()}
    parts = split_files(files, spec.task.type, spec.split, spec.fold)
    train, validation = (
        Split(texts[part.source], part.rows) for part in (parts.train, parts.validation)
    )
    test = None if parts.test is None else Split(texts[parts.test.source], parts.test.rows)
    return Splits(train, validation, test)


def _encode_files(
    spec: DataSpec, cache: TextCache, check_stop: Callable[[], None]
) -> dict[InputFile, EncodedText]:
    return {
        source: cache.get_encoded_text(
            file,
            spec.task,
            spec.base_model,
            check_stop,
            param=source,
            group_by=get_group_column(spec.split, source),
            pair_encoding=spec.pair_encoding,
        )
        for source, file in _list_input_files(spec).items()
    }


def _list_input_files(spec: DataSpec) -> dict[InputFile, DataFile]:
    files = {
        InputFile.TRAINING: spec.training_file,
        InputFile.VALIDATION: spec.validation_file,
        InputFile.TEST: spec.test_file,
    }
    return {source: file for source, file in files.items() if file is not None}
