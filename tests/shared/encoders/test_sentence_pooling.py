"""What a folder in the format of sentence-transformers says about its pooling."""

import json
from pathlib import Path

import pytest

from shared.encoders.sentence_pooling import read_pooling, select_sentence_pooling

NAMED = {"pooling_mode": "cls"}
SWITCHES = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}


def write_sentence_encoder(folder: Path, *, modules: object = None, pooling: object = None) -> None:
    """Write the folder's modules.json and its pooling's config, where they are given."""
    if modules is not None:
        (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    if pooling is not None:
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))


@pytest.mark.parametrize("version", ["sentence_transformers.models.Pooling", "x.modules.Pooling"])
@pytest.mark.parametrize(("pooling", "expected"), [(NAMED, "cls"), (SWITCHES, "mean")])
def test_every_version_of_the_format_is_read(
    tmp_path: Path, version: str, pooling: object, expected: str
) -> None:
    modules = [{"path": "", "type": "x.Transformer"}, {"path": "1_Pooling", "type": version}]
    write_sentence_encoder(tmp_path, modules=modules, pooling=pooling)
    assert read_pooling(tmp_path) == expected


def test_a_folder_without_a_list_of_modules_may_have_a_pooling(tmp_path: Path) -> None:
    assert read_pooling(tmp_path) is None
    write_sentence_encoder(tmp_path, pooling=SWITCHES)
    assert read_pooling(tmp_path) == "mean"


@pytest.mark.parametrize(
    "modules",
    [
        {},
        [],
        [1],
        [{"path": "1_Pooling"}],
        [{"path": "../1_Pooling", "type": "x.Pooling"}],
        [{"path": "/etc", "type": "x.Pooling"}],
        [{"path": ["1_Pooling"], "type": "x.Pooling"}],
        [{"path": "1_Pooling", "type": "x.Pooling"}] * 2,
        "x" * 200_000,
    ],
)
def test_a_strange_list_of_modules_says_nothing(tmp_path: Path, modules: object) -> None:
    write_sentence_encoder(tmp_path, modules=modules, pooling=SWITCHES)
    assert read_pooling(tmp_path) is None


def test_recipes_have_two_of_the_poolings() -> None:
    assert select_sentence_pooling("mean") == "mean"
    assert select_sentence_pooling("cls") == "cls"
    assert [select_sentence_pooling(one) for one in ("cls+mean", "max", None)] == [None] * 3
