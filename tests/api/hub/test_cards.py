"""Choice of the files of a split, by the card of a data set or by names."""

from typing import Any

import pytest

from api.hub.card import choose_split_files, parse_class_names
from api.hub.client import DatasetInfo
from shared.datasets import InputFile
from shared.domain.errors import InvalidValue


def make_info(*paths: str, card: dict[str, Any] | None = None) -> DatasetInfo:
    files = [{"rfilename": path, "size": 1} for path in (".gitattributes", "README.md", *paths)]
    return DatasetInfo.model_validate({"sha": "0" * 40, "siblings": files, "cardData": card})


def choose(
    info: DatasetInfo,
    config: str | None = None,
    split: str | None = None,
    source: InputFile = InputFile.TRAINING,
) -> list[str]:
    return [file.path for file in choose_split_files(info, config, split, source).files]


def get_message(info: DatasetInfo, config: str | None = None, split: str | None = None) -> str:
    with pytest.raises(InvalidValue) as refused:
        choose_split_files(info, config, split, InputFile.TRAINING)
    assert refused.value.param == "training_file"
    return refused.value.message


def make_configs(**data_files: Any) -> dict[str, Any]:
    return {
        "configs": [
            {"config_name": name, "data_files": files} for name, files in data_files.items()
        ]
    }


@pytest.mark.parametrize(
    ("paths", "splits"),
    [
        (["data.csv"], {"train": ["data.csv"]}),
        (
            ["train.csv", "dev.csv", "eval.csv"],
            {"train": ["train.csv"], "validation": ["dev.csv"], "test": ["eval.csv"]},
        ),
        (
            ["train/a.jsonl", "train/b.jsonl", "Test/a.jsonl"],
            {"train": ["train/a.jsonl", "train/b.jsonl"], "test": ["Test/a.jsonl"]},
        ),
        (["my_train_set.csv.gz", "constraints.csv"], {"train": ["my_train_set.csv.gz"]}),
        (
            [
                "data/train-00001-of-00002-ab.parquet",
                "data/train-00000-of-00002-cd.parquet",
                "data/dev_matched-00000-of-00001.parquet",
            ],
            {
                "train": [
                    "data/train-00000-of-00002-cd.parquet",
                    "data/train-00001-of-00002-ab.parquet",
                ],
                "dev_matched": ["data/dev_matched-00000-of-00001.parquet"],
            },
        ),
        (
            ["rte/train/0000.parquet", "rte/dev_matched/0000.parquet"],
            {"dev_matched": ["rte/dev_matched/0000.parquet"]},
        ),
        (["train.csv", "train.parquet", "dataset_infos.json"], {"train": ["train.parquet"]}),
    ],
)
def test_files_are_chosen_by_name(paths: list[str], splits: dict[str, list[str]]) -> None:
    for split, files in splits.items():
        assert choose(make_info(*paths), split=split) == files


def test_each_file_of_a_job_has_a_default_split() -> None:
    info = make_info("train.csv", "valid.csv", "testing.csv", "unsupervised-00000-of-00001.csv")
    assert [choose(info, source=source) for source in InputFile] == [
        ["train.csv"],
        ["valid.csv"],
        ["testing.csv"],
        ["unsupervised-00000-of-00001.csv"],
    ]


@pytest.mark.parametrize(
    ("data_files", "expected"),
    [
        ("a/*.csv", ["a/1.csv", "a/2.csv"]),
        (["a/1.csv", "b/x/3.csv"], ["a/1.csv", "b/x/3.csv"]),
        (
            [{"split": "train", "path": "**/*.csv"}],
            ["a/1.csv", "a/2.csv", "b/x/3.csv", "train.csv"],
        ),
        (
            [{"split": "train", "path": ["a/[1]*", "b/**"]}, {"split": "test", "path": "*.csv"}],
            ["a/1.csv", "b/x/3.csv"],
        ),
        ({"train": "./train.csv", "test": "a/*"}, ["train.csv"]),
        (None, ["train.csv"]),
    ],
)
def test_files_are_chosen_by_the_card(data_files: Any, expected: list[str]) -> None:
    info = make_info(
        "a/1.csv", "a/2.csv", "b/x/3.csv", "train.csv", card=make_configs(default=data_files)
    )
    assert choose(info) == expected


def test_patterns_are_relative_to_the_config_s_folder() -> None:
    one = {"config_name": "one", "data_dir": "x/one", "data_files": "*.csv", "default": True}
    two = {"config_name": "two", "data_dir": "x/two"}
    info = make_info(
        "x/one/1.csv", "x/two/train.csv", "x/two/test.csv", card={"configs": [one, two]}
    )
    assert choose(info) == ["x/one/1.csv"]  # the default config
    assert choose(info, "two", "test") == ["x/two/test.csv"]


def test_an_ambiguous_reference_is_refused_with_candidates() -> None:
    info = make_info("a.csv", "b.csv", card=make_configs(cola="a.csv", rte="b.csv"))
    assert all(name in get_message(info) for name in ("cola", "rte"))
    assert "cola, rte" in get_message(info, "mnli")
    assert "train" in get_message(info, "rte", "test")
    assert choose(make_info("a.csv", "b.csv", card=make_configs(default="a.csv", rte="b.csv"))) == [
        "a.csv"
    ]
    assert "refs/convert/parquet" in get_message(make_info("script.py", "audio/1.wav"))
    assert "leave it out" in get_message(make_info("train.csv"), "rte")
    assert "cannot be part of a file name" in get_message(
        make_info("a.csv", card=make_configs(**{"a/b": "a.csv"}))
    )


@pytest.mark.parametrize(
    "configs_of_card", [5, "x", [1], [{"data_files": "x"}], [{"config_name": "a", "data_files": 3}]]
)
def test_an_invalid_card_is_refused(configs_of_card: Any) -> None:
    assert "cannot be parsed" in get_message(
        make_info("train.csv", card={"configs": configs_of_card})
    )


def test_a_pattern_of_many_stars_is_matched_quickly() -> None:
    """As one regular expression it would take exponential time."""
    info = make_info(
        *("/".join(["a" * 20] * 40) + f"/{n}.csv" for n in range(20)),
        card=make_configs(default="/".join(["**"] * 40 + ["x*" * 20])),
    )
    assert "no Parquet, JSON or CSV" in get_message(info)


def test_class_names_are_read_from_the_card() -> None:
    by_number, in_order = {"0": "no", "1": "yes"}, ["bad", "good"]
    features = [
        {"name": "text", "dtype": "string"},
        {"name": "label", "dtype": {"class_label": {"names": by_number}}},
        {"name": "tone", "dtype": {"class_label": {"names": in_order}}},
    ]
    expected = {
        "label": {"-1": "", "0": "no", "1": "yes"},
        "tone": {"-1": "", "0": "bad", "1": "good"},
    }
    assert (
        parse_class_names(make_info(card={"dataset_info": {"features": features}}), "default")
        == expected
    )
    several = {
        "dataset_info": [
            {"config_name": "a", "features": []},
            {"config_name": "b", "features": features},
        ]
    }
    assert parse_class_names(make_info(card=several), "b") == expected
    assert parse_class_names(make_info(card=several), "a") == {}


@pytest.mark.parametrize(
    "dataset_info",
    [
        None,
        5,
        [5],
        {"features": 5},
        {"features": [5, {"name": 1}, {"name": "x", "dtype": {"class_label": 1}}]},
    ],
)
def test_malformed_features_are_ignored(dataset_info: Any) -> None:
    assert parse_class_names(make_info(card={"dataset_info": dataset_info}), "default") == {}
