"""The options of ``evenkeel train`` as the request that creates a job.

Options that are not given are left out, so that the service's defaults apply.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.errors import CliError
from cli.option_names import OPTIONS_BY_FIELD
from cli.option_values import (
    parse_class_weights,
    parse_column,
    parse_early_discard,
    parse_header,
    parse_pairs,
    parse_recipe_settings,
    parse_setting,
)
from shared.encoders.catalogue import OFFLINE_ENCODER


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of ``evenkeel train``; None where the user gave none."""

    model: str | None = None
    model_revision: str | None = None
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
    class_weights: Sequence[str] | None = None
    settings: Sequence[str] | None = None
    header: str | None = None
    text_column: str | None = None
    text_pair_column: str | None = None
    label_column: str | None = None
    label_names: Sequence[str] | None = None
    positive_label: str | None = None
    max_seq_length: str | None = None
    task_type: str | None = None
    folds: int | None = None
    group_by: str | None = None
    validation_fraction: float | None = None
    test_fraction: float | None = None
    split_seed: int | None = None
    init_seeds: Sequence[int] | None = None
    data_seeds: Sequence[int] | None = None
    early_discard: str | None = None
    metric: str | None = None
    keep: str | None = None
    publish: str | None = None
    metadata: Sequence[str] | None = None


def build_job_request(
    options: TrainOptions,
    training_file: str,
    validation_file: str | None = None,
    test_file: str | None = None,
    unlabelled_file: str | None = None,
) -> dict[str, Any]:
    """Build the body of the request that creates a job; files are given by their ids."""
    files = (training_file, validation_file, test_file, unlabelled_file)
    return add_job_files(build_job_settings(options), *files)


def add_job_files(
    settings: Mapping[str, Any],
    training_file: str | None,
    validation_file: str | None = None,
    test_file: str | None = None,
    unlabelled_file: str | None = None,
) -> dict[str, Any]:
    """Add the files, and the model that is trained if none is given."""
    files = {
        "training_file": training_file,
        "validation_file": validation_file,
        "test_file": test_file,
        "unlabelled_file": unlabelled_file,
    }
    return _drop_unset(files) | {"model": OFFLINE_ENCODER} | dict(settings)


def build_job_settings(options: TrainOptions) -> dict[str, Any]:
    """Build the given options alone, as for a job that is cloned.

    Raises CliError for a value that is not of the option's form.
    """
    return _drop_unset(
        {
            "model": options.model,
            "model_revision": options.model_revision,
            "suffix": options.suffix,
            "seed": options.seed,
            "task": _build_task(options),
            "recipe": _build_recipe(options),
            "split": _build_split(options),
            "runs": _build_runs(options),
            "early_discard": parse_early_discard(options.early_discard),
            "evaluation": _drop_unset({"metric": options.metric}),
            "artifacts": _drop_unset({"keep": options.keep, "publish": options.publish}),
            "metadata": parse_pairs("--metadata", options.metadata, example="team=support"),
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
            "label_names": list(options.label_names) if options.label_names else None,
            "positive_label": options.positive_label,
            "max_seq_length": parse_setting(options.max_seq_length),
        }
    )


def _build_recipe(options: TrainOptions) -> dict[str, Any]:
    further = parse_recipe_settings(options.settings)
    for name in further:
        if option := OPTIONS_BY_FIELD.get(f"recipe.{name}"):
            raise CliError(f"--set: {name} has an option of its own. Use {option}.")
    return further | _drop_unset(
        {
            "preset": options.preset,
            "max_steps": parse_setting(options.max_steps),
            "num_train_epochs": parse_setting(options.epochs),
            "learning_rate": parse_setting(options.learning_rate),
            "train_batch_size": options.batch_size,
            "reinit_layers": parse_setting(options.reinit_layers),
            "class_weights": parse_class_weights(options.class_weights),
            "precision": options.precision,
        }
    )


def _build_runs(options: TrainOptions) -> dict[str, Any]:
    if options.init_seeds and not options.data_seeds:
        raise CliError("--init-seed forms a grid with --data-seed. Give both, or give --seed.")
    if options.early_discard and (options.seeds or options.init_seeds or options.data_seeds):
        raise CliError(
            "--early-discard sets the number of runs. Leave out --seeds, --init-seed and "
            "--data-seed."
        )
    return _drop_unset(
        {
            "num_seeds": options.seeds,
            "init_seeds": list(options.init_seeds) if options.init_seeds else None,
            "data_seeds": list(options.data_seeds) if options.data_seeds else None,
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
            "seed": options.split_seed,
        }
    )


def _drop_unset(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields without those that are None or empty."""
    return {name: value for name, value in fields.items() if value is not None and value != {}}
