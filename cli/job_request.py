"""The options of ``evenkeel train`` as the body of a job's creation. What was not asked for is left to the service."""

import math
from dataclasses import dataclass
from typing import Any

from shared.encoders.catalogue import OFFLINE_ENCODER


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    model: str | None = None
    suffix: str | None = None
    seed: int | None = None
    seeds: int | None = None
    preset: str | None = None
    max_steps: str | None = None
    epochs: str | None = None
    learning_rate: str | None = None
    batch_size: int | None = None
    reinit_layers: str | None = None
    precision: str | None = None
    text_column: str | None = None
    text_pair_column: str | None = None
    label_column: str | None = None
    task_type: str | None = None
    folds: int | None = None
    group_by: str | None = None
    validation_fraction: float | None = None
    test_fraction: float | None = None
    metric: str | None = None


def job_body(
    options: TrainOptions,
    training_file: str,
    validation_file: str | None = None,
    test_file: str | None = None,
) -> dict[str, Any]:
    files = {
        "training_file": training_file,
        "validation_file": validation_file,
        "test_file": test_file,
    }
    return _asked(files) | {"model": OFFLINE_ENCODER} | changes(options)


def changes(options: TrainOptions) -> dict[str, Any]:
    """What was asked for, and nothing else: the body of a clone."""
    return _asked(
        {
            "model": options.model,
            "suffix": options.suffix,
            "seed": options.seed,
            "task": _asked(
                {
                    "type": options.task_type,
                    "text_column": column(options.text_column),
                    "text_pair_column": column(options.text_pair_column),
                    "label_column": column(options.label_column),
                }
            ),
            "recipe": _asked(
                {
                    "preset": options.preset,
                    "max_steps": _number_or_word(options.max_steps),
                    "num_train_epochs": _number_or_word(options.epochs),
                    "learning_rate": _number_or_word(options.learning_rate),
                    "train_batch_size": options.batch_size,
                    "reinit_layers": _number_or_word(options.reinit_layers),
                    "precision": options.precision,
                }
            ),
            "split": _asked(
                {
                    "mode": None if options.folds is None else "kfold",
                    "k": options.folds,
                    "group_by": column(options.group_by),
                    "validation_fraction": options.validation_fraction,
                    "test_fraction": options.test_fraction,
                }
            ),
            "runs": _asked({"num_seeds": options.seeds}),
            "evaluation": _asked({"metric": options.metric}),
        }
    )


def _asked(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what was not asked for, and without what holds nothing."""
    return {name: value for name, value in fields.items() if value is not None and value != {}}


def column(text: str | None) -> int | str | None:
    """A whole number is a column's index, anything else its name."""
    return int(text) if text is not None and text.isdecimal() else text


def _number_or_word(text: str | None) -> int | float | str | None:
    """``3`` and ``5e-5`` are numbers; ``auto`` is a word, and so is whatever the service may refuse."""
    if text is None or text.isdecimal():
        return None if text is None else int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
