"""The options of ``evenkeel train`` by the field of the request that each sets."""

import re
from typing import Final

OPTIONS_BY_FIELD: Final = {
    "training_file": "FILE",
    "validation_file": "--validation-file",
    "test_file": "--test-file",
    "unlabelled_file": "--unlabelled",
    "model": "--model",
    "model_revision": "--revision",
    "suffix": "--suffix",
    "seed": "--seed",
    "metadata": "--metadata",
    "task.type": "--task-type",
    "task.header": "--header",
    "task.text_column": "--text-column",
    "task.text_pair_column": "--text-pair-column",
    "task.label_column": "--label-column",
    "task.label_names": "--label-name",
    "task.positive_label": "--positive-label",
    "task.max_seq_length": "--max-seq-length",
    "recipe.preset": "--preset",
    "recipe.max_steps": "--max-steps",
    "recipe.num_train_epochs": "--epochs",
    "recipe.learning_rate": "--learning-rate",
    "recipe.train_batch_size": "--batch-size",
    "recipe.reinit_layers": "--reinit-layers",
    "recipe.class_weights": "--class-weights",
    "recipe.precision": "--precision",
    "recipe": "--set",
    "split.mode": "--folds",
    "split.k": "--folds",
    "split.seed": "--split-seed",
    "split.group_by": "--group-by",
    "split.validation_fraction": "--validation-fraction",
    "split.test_fraction": "--test-fraction",
    "runs.num_seeds": "--seeds",
    "runs.init_seeds": "--init-seed",
    "runs.data_seeds": "--data-seed",
    "early_discard": "--early-discard",
    "evaluation.metric": "--metric",
    "artifacts.keep": "--keep",
    "artifacts.publish": "--publish",
}
_LONGEST_FIRST: Final = sorted(OPTIONS_BY_FIELD, key=len, reverse=True)
_DOTTED_FIELDS: Final = re.compile(
    rf"(?<![\w.])({'|'.join(re.escape(field) for field in _LONGEST_FIRST if '.' in field)})(?!\w)"
)


def name_options(message: str, param: str | None = None) -> str:
    """Name the options instead of the request's fields in a message of the service.

    ``param`` is the field that the message is about; its option comes first if it is not named.
    """
    option = _find_option(param)
    if option is not None and param is not None:
        message = message.removeprefix(f"{param}: ")
    text = _DOTTED_FIELDS.sub(lambda found: OPTIONS_BY_FIELD[found[1]], message)
    if option is None:
        return text if not param or param in message else f"{text} (param: {param})"
    return text if option in text else f"{option}: {text}"


def _find_option(param: str | None) -> str | None:
    """Return the option of a field, or of the field that it is a part of."""
    for field in _LONGEST_FIRST:
        if param is not None and (param == field or param.startswith(f"{field}.")):
            return OPTIONS_BY_FIELD[field]
    return None
