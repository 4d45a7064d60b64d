"""The unlabelled texts of a distillation, which follow its training rows."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from shared.datasets import Examples, InputFile
from shared.datasets.split.leakage import hash_texts
from shared.datasets.split.unlabelled import count_readable_texts, find_new_texts, sample_texts
from shared.domain.task import Label
from worker.training.data.split import Split
from worker.training.data.tokenization import EncodedText, TextCache
from worker.training.spec import RunSpec


def choose_unlabelled_texts(
    spec: RunSpec, train: Split, cache: TextCache, check_stop: Callable[[], None]
) -> Split | None:
    """Return the unlabelled texts that the run has steps to read besides the training rows; None
    if there are none.

    They depend on the files and the recipe alone, so a run that resumes has the same ones. Raises
    InvalidValue for a file that does not fit the task.
    """
    if spec.unlabelled_file is None:
        return None
    text = cache.get_encoded_text(
        spec.unlabelled_file,
        spec.task,
        spec.base_model,
        check_stop,
        param=InputFile.UNLABELLED,
        pair_encoding=spec.pair_encoding,
    )
    new = find_new_texts(hash_texts(text.examples), hash_texts(train.select_examples()))
    count = count_readable_texts(
        len(new), len(train.rows), spec.recipe.max_steps, spec.recipe.train_batch_size
    )
    return Split(text, sample_texts(new, count)) if count else None


def append_texts(train: Split, added: Split, labels: Sequence[Label]) -> Split:
    """Return the training rows, followed by the added ones, which get these labels."""
    text, first = train.text, len(train.text.examples)
    joined = replace(
        text,
        columns={name: _join_columns(text, added, name) for name in text.columns},
        examples=_join_examples(text.examples, added.select_examples(), labels),
        truncated=[*text.truncated, *(added.text.truncated[row] for row in added.rows)],
    )
    return Split(joined, [*train.rows, *range(first, first + len(added.rows))])


def _join_columns(text: EncodedText, added: Split, name: str) -> list[Tensor]:
    """Join a column, in which the first sequences of all rows precede the second ones."""
    own, further = text.columns[name], added.text.columns[name]
    count, chosen = len(text.examples), added.text.list_sequences(added.rows)
    joined: list[Tensor] = []
    for part in range(text.sequences_per_row):
        joined += own[part * count : (part + 1) * count]
        of_part = chosen[part * len(added.rows) : (part + 1) * len(added.rows)]
        joined += [further[sequence] for sequence in of_part]
    return joined


def _join_examples(examples: Examples, added: Examples, labels: Sequence[Label]) -> Examples:
    seconds, further = examples.second_texts, added.second_texts
    return replace(
        examples,
        texts=[*examples.texts, *added.texts],
        second_texts=None if seconds is None or further is None else [*seconds, *further],
        labels=[*examples.labels, *labels],
        groups=None,
    )
