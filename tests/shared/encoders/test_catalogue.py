"""Base models are the readable ones of a folder; any other name is refused with a reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.domain.errors import ModelNotAllowed
from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue, EncoderFacts

GOOD = {
    "model_type": "bert",
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "max_position_embeddings": 64,
}


def add(folder: Path, name: str, config: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "config.json").write_bytes(config.encode(errors="surrogateescape"))
    (folder / name / "model.safetensors").touch()


BROKEN = {
    "no-json": "{",
    "a-list": "[1]",
    "not-utf8": "\udcff",
    "nothing": "{}",
    "no-width": json.dumps({**GOOD, "hidden_size": None}),
    "width-0": json.dumps({**GOOD, "hidden_size": 0}),
    "infinite": json.dumps({**GOOD, "num_hidden_layers": float("inf")}),
    "family-list": json.dumps({**GOOD, "model_type": ["bert"]}),
    "no-depth": json.dumps(
        {"model_type": "roberta", "hidden_size": 32, "max_position_embeddings": 64}
    ),
    "other-family": json.dumps({"model_type": "distilbert", "dim": 32}),
    "no-groups": json.dumps({**GOOD, "model_type": "albert", "num_hidden_groups": 0}),
    "unknown-family": json.dumps({**GOOD, "model_type": "gpt2"}),
    "own-code": json.dumps({**GOOD, "auto_map": {"AutoModel": "x.Y"}}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_folder_that_cannot_be_used_is_not_listed_and_refused_in_words(
    tmp_path: Path, name: str
) -> None:
    add(tmp_path, "good", json.dumps(GOOD))
    add(tmp_path, name, BROKEN[name])
    catalogue = Catalogue([tmp_path])
    assert catalogue.list_names() == [OFFLINE_ENCODER, "good"]
    with pytest.raises(ModelNotAllowed, match=name) as refused:
        catalogue.get_facts(name)
    assert refused.value.message.endswith(".")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "roberta"}, EncoderFacts("it", "roberta", 2, 32, 62)),
        ({"model_type": "mpnet"}, EncoderFacts("it", "mpnet", 2, 32, 62)),
        ({"model_type": "deberta-v2"}, EncoderFacts("it", "deberta-v2", 2, 32, 64)),
        (
            {"model_type": "albert", "num_hidden_layers": 12},
            EncoderFacts("it", "albert", 12, 32, 64, shared_blocks=1),
        ),
        (
            {"model_type": "albert", "num_hidden_layers": 12, "num_hidden_groups": 3},
            EncoderFacts("it", "albert", 12, 32, 64, shared_blocks=3),
        ),
        ({"model_type": "albert", "num_hidden_groups": 2}, EncoderFacts("it", "albert", 2, 32, 64)),
        (
            {"model_type": "distilbert", "n_layers": 6, "dim": 48},
            EncoderFacts("it", "distilbert", 6, 48, 64),
        ),
    ],
)
def test_facts_are_read_under_the_familys_own_names(
    tmp_path: Path, config: dict[str, Any], expected: EncoderFacts
) -> None:
    add(tmp_path, "it", json.dumps({**GOOD, **config}))
    found = Catalogue([tmp_path]).get_facts("it")
    assert found == expected
    assert found.num_blocks == (expected.shared_blocks or expected.num_hidden_layers)
    assert found.has_pooler == (expected.family == "albert")


@pytest.mark.parametrize(
    "name", ["n" * 300, "ü" * 200, "a\0b", "../good", "good/", ".", "..", ".hidden", ""]
)
def test_names_of_nothing(tmp_path: Path, name: str) -> None:
    add(tmp_path, "good", json.dumps(GOOD))
    add(tmp_path, ".hidden", json.dumps(GOOD))
    catalogue = Catalogue([tmp_path])
    for look_up in (catalogue.get_facts, catalogue.get_folder):
        with pytest.raises(ModelNotAllowed):
            look_up(name)


def test_the_first_of_a_name_wins(tmp_path: Path) -> None:
    add(tmp_path / "one", "same", json.dumps(GOOD))
    add(tmp_path / "two", "same", json.dumps({**GOOD, "hidden_size": 64}))
    catalogue = Catalogue([tmp_path / "one", tmp_path / "two", tmp_path / "none"])
    assert catalogue.get_facts("same").hidden_size == 32
    assert catalogue.get_folder("same") == tmp_path / "one" / "same"
