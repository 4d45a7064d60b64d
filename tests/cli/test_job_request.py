"""The request that ``evenkeel train`` sends for its options."""

import inspect
from typing import Any

import pytest

from api.jobs.request_schemas import JobRequest
from cli.commands.training import train
from cli.errors import CliError
from cli.job_request import TrainOptions, build_job_request
from cli.option_names import OPTIONS_BY_FIELD, name_options
from shared.encoders.catalogue import OFFLINE_ENCODER


def test_options_not_given_are_left_to_the_service() -> None:
    assert build_job_request(TrainOptions(), "file-1") == {
        "training_file": "file-1",
        "model": OFFLINE_ENCODER,
    }


def test_all_options_together_are_a_valid_request() -> None:
    options = TrainOptions(
        model="m",
        suffix="s",
        seed=7,
        seeds=3,
        preset="conventional",
        max_steps="40",
        learning_rate="5e-5",
        batch_size=16,
        reinit_layers="auto",
        text_column="0",
        text_pair_column="second text",
        label_column="label",
        task_type="multi_label_classification",
        label_names=["b", "a"],
        positive_label="a",
        max_seq_length="64",
        class_weights=["b=2,a=0.5"],
        settings=["warmup_ratio=0.2", "bias_correction=false"],
        split_seed=4,
        keep="all_runs",
        publish="ensemble",
        metadata=["team=x=y"],
        group_by="3",
        validation_fraction=0.25,
        test_fraction=0.1,
        metric="f1_macro",
    )
    body = build_job_request(options, "file-1", "file-2", "file-3", "file-4")
    assert body == {
        "training_file": "file-1",
        "validation_file": "file-2",
        "test_file": "file-3",
        "unlabelled_file": "file-4",
        "model": "m",
        "suffix": "s",
        "seed": 7,
        "task": {
            "type": "multi_label_classification",
            "text_column": 0,
            "text_pair_column": "second text",
            "label_column": "label",
            "label_names": ["b", "a"],
            "positive_label": "a",
            "max_seq_length": 64,
        },
        "artifacts": {"keep": "all_runs", "publish": "ensemble"},
        "metadata": {"team": "x=y"},
        "split": {"seed": 4, "group_by": 3, "validation_fraction": 0.25, "test_fraction": 0.1},
        "recipe": {
            "preset": "conventional",
            "max_steps": 40,
            "learning_rate": 5e-5,
            "train_batch_size": 16,
            "reinit_layers": "auto",
            "class_weights": {"b": 2.0, "a": 0.5},
            "warmup_ratio": 0.2,
            "bias_correction": False,
        },
        "runs": {"num_seeds": 3},
        "evaluation": {"metric": "f1_macro"},
    }
    JobRequest.model_validate(body)


def test_folds_ask_for_kfold() -> None:
    assert build_job_request(TrainOptions(folds=4), "file-1")["split"] == {"mode": "kfold", "k": 4}


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("2.5", 2.5), ("auto", "auto"), ("nan", "nan"), ("1e999", "1e999")],
)
def test_numbers_and_words(text: str, value: object) -> None:
    assert build_job_request(TrainOptions(epochs=text), "file-1")["recipe"] == {
        "num_train_epochs": value
    }


def test_a_decimal_number_is_a_column_name_not_an_index() -> None:
    assert build_job_request(TrainOptions(text_column="1.5"), "f")["task"] == {"text_column": "1.5"}


def test_a_grid_of_seeds_and_an_early_discard() -> None:
    grid = build_job_request(TrainOptions(init_seeds=[1, 2], data_seeds=[3]), "f")
    assert grid["runs"] == {"init_seeds": [1, 2], "data_seeds": [3]}
    JobRequest.model_validate(grid)
    discard = build_job_request(TrainOptions(early_discard="20:5"), "f")
    assert discard["early_discard"] == {"start": 20, "keep": 5}
    JobRequest.model_validate(discard)


@pytest.mark.parametrize(
    ("values", "weights"),
    [
        (["balanced"], "balanced"),
        (["a=1,b=2.5"], {"a": 1.0, "b": 2.5}),
        (["a=1", "b=2"], {"a": 1.0, "b": 2.0}),
        (["a, or b=2"], {"a, or b": 2.0}),
        (["x=y=2"], {"x=y": 2.0}),
    ],
)
def test_class_weights(values: list[str], weights: object) -> None:
    body = build_job_request(TrainOptions(class_weights=values), "f")
    assert body["recipe"] == {"class_weights": weights}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_weights": ["a"]}, "--class-weights: 'a' is not balanced"),
        ({"class_weights": ["a=1,"]}, "--class-weights: 'a=1,' is not balanced"),
        ({"class_weights": ["=1"]}, "--class-weights: '=1' is not balanced"),
        ({"class_weights": ["a=x"]}, "--class-weights: the weight of 'a' is 'x'"),
        ({"class_weights": ["a=-1"]}, "--class-weights: the weight of 'a' is '-1'"),
        ({"class_weights": ["a=nan"]}, "--class-weights: the weight of 'a' is 'nan'"),
        ({"class_weights": ["a=1,a=2"]}, "--class-weights: 'a' has two weights"),
        ({"class_weights": ["balanced", "a=2"]}, "exclude each other"),
        ({"early_discard": "20"}, "--early-discard: '20' is not START:KEEP"),
        ({"early_discard": "9:3", "seeds": 4}, "--early-discard sets the number of runs"),
        ({"init_seeds": [1]}, "--init-seed forms a grid with --data-seed"),
        ({"settings": ["mixout"]}, "--set: 'mixout' is not NAME=VALUE"),
        ({"settings": ["max_steps=3"]}, "--set: max_steps has an option of its own"),
        ({"metadata": ["a=1", "a=2"]}, "--metadata: a is given twice"),
    ],
)
def test_values_of_another_form_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CliError) as refused:
        build_job_request(TrainOptions(**options), "f")
    assert message in str(refused.value)


def test_every_option_of_a_field_exists() -> None:
    """The names in errors are options that ``evenkeel train`` has."""
    parameters = inspect.signature(train).parameters
    for option in set(OPTIONS_BY_FIELD.values()) - {"FILE", "--set"}:
        assert option.removeprefix("--").replace("-", "_") in parameters


@pytest.mark.parametrize(
    ("message", "param", "text"),
    [
        ("Too small.", "task.max_seq_length", "--max-seq-length: Too small."),
        ("No label zz.", "recipe.class_weights.zz", "--class-weights: No label zz."),
        ("Set task.label_column.", "task.label_column", "Set --label-column."),
        ("suffix: give letters.", "suffix", "--suffix: give letters."),
        ("Group rows (split.group_by).", None, "Group rows (--group-by)."),
        ("Has no text.", "unlabelled_file", "--unlabelled: Has no text."),
        ("Gone.", "job_id", "Gone. (param: job_id)"),
    ],
)
def test_messages_name_options(message: str, param: str | None, text: str) -> None:
    assert name_options(message, param) == text
