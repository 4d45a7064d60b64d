"""The options of ``evenkeel train`` as the request that creates a job.

Options that are not given are left out, so that the service's defaults apply.
"""

import math
from dataclasses import dataclass
from typing import Any

from shared.encoders.catalogue import OFFLINE_ENCODER

MAX_DIGITS = 18
"""Longest integer of an option; Python refuses to convert thousands of digits."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of ``evenkeel train``; None where the user gave none."""

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
    header: str | None = None
    text_column: str | None = None
    text_pair_column: str | None = None
    label_column: str | None = None
    task_type: str | None = None
    folds: int | None = None
    group_by: str | None = None
    validation_fraction: float | None = None
    test_fraction: float | None = None
    metric: str | None = None


def build_job_request(
    options: TrainOptions,
    training_file: str,
    validation_file: str | None = None,
    test_file: str | None = None,
) -> dict[str, Any]:
    """Build the body of the request that creates a job; files are given by their ids."""
    files = {
        "training_file": training_file,
        "validation_file": validation_file,
        "test_file": test_file,
    }
    return _drop_unset(files) | {"model": OFFLINE_ENCODER} | build_clone_request(options)


def build_clone_request(options: TrainOptions) -> dict[str, Any]:
    """Build the body of the request that clones a job: the given options alone."""
    return _drop_unset(
        {
            "model": options.model,
            "suffix": options.suffix,
            "seed": options.seed,
            "task": _build_task(options),
            "recipe": _build_recipe(options),
            "split": _build_split(options),
            "runs": _drop_unset({"num_seeds": options.seeds}),
            "evaluation": _drop_unset({"metric": options.metric}),
        }
    )


def _build_task(options: TrainOptions) -> dict[str, Any]:
    return _drop_unset(
        {
            "type": options.task_type,
            "header": None if options.header is None else parse_header(options.header),
            "text_column": parse_column(options.text_column),
            "text_pair_column": parse_column(options.text_pair_column),
            "label_column": parse_column(options.label_column),
        }
    )


def _build_recipe(options: TrainOptions) -> dict[str, Any]:
    return _drop_unset(
        {
            "preset": options.preset,
            "max_steps": _parse_setting(options.max_steps),
            "num_train_epochs": _parse_setting(options.epochs),
            "learning_rate": _parse_setting(options.learning_rate),
            "train_batch_size": options.batch_size,
            "reinit_layers": _parse_setting(options.reinit_layers),
            "precision": options.precision,
        }
    )


def _build_split(options: TrainOptions) -> dict[str, Any]:
    return _drop_unset(
        {
            "mode": None if options.folds is None else "kfold",
            "k": options.folds,
            "group_by": parse_column(options.group_by),
            "validation_fraction": options.validation_fraction,
            "test_fraction": options.test_fraction,
        }
    )


def _drop_unset(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields without those that are None or empty."""
    return {name: value for name, value in fields.items() if value is not None and value != {}}


def parse_header(text: str) -> bool | str:
    """Read ``true`` and ``false``; leave ``auto`` and invalid values to the service."""
    return {"true": True, "false": False}.get(text.casefold(), text)


def parse_column(text: str | None) -> int | str | None:
    """Read a whole number as a column's index, anything else as its name."""
    return int(text) if text is not None and _is_short_integer(text) else text


def _is_short_integer(text: str) -> bool:
    return text.isdecimal() and len(text) <= MAX_DIGITS


def _parse_setting(text: str | None) -> int | float | str | None:
    """Read ``3`` and ``5e-5`` as numbers; leave ``auto`` and invalid values to the service."""
    if text is None or _is_short_integer(text):
        return None if text is None else int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
