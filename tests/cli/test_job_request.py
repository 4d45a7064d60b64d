"""The request that ``evenkeel train`` sends for its options."""

import pytest

from api.jobs.request_schemas import JobRequest
from cli.job_request import TrainOptions, build_job_request
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
        group_by="3",
        validation_fraction=0.25,
        test_fraction=0.1,
        metric="f1_macro",
    )
    body = build_job_request(options, "file-1", "file-2", "file-3")
    assert body == {
        "training_file": "file-1",
        "validation_file": "file-2",
        "test_file": "file-3",
        "model": "m",
        "suffix": "s",
        "seed": 7,
        "task": {
            "type": "multi_label_classification",
            "text_column": 0,
            "text_pair_column": "second text",
            "label_column": "label",
        },
        "split": {"group_by": 3, "validation_fraction": 0.25, "test_fraction": 0.1},
        "recipe": {
            "preset": "conventional",
            "max_steps": 40,
            "learning_rate": 5e-5,
            "train_batch_size": 16,
            "reinit_layers": "auto",
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
