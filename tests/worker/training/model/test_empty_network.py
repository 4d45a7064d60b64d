"""The network is built without weights first, so that no config can crash or flood a trainer."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from shared.encoders.validation.config_rules import parse_config
from shared.encoders.validation.config_schema import FAMILY_KEYS, EncoderConfig
from shared.encoders.validation.errors import UnfitModel
from shared.encoders.validation.model_kinds import find_family
from tests.encoders import ENCODERS
from tests.encoders.layouts import change_json, change_tensors, read_tensors
from tests.worker.training.runs import make_task
from worker.training.errors import BaseModelUnreadable
from worker.training.model.empty_network import (
    build_empty_network,
    check_base_model,
    check_network_size,
)
from worker.training.model.encoder import load_encoder

VALUES: list[Any] = [
    0, 1, -1, 2, 3, 7, 10**9, 2**70, 0.5, 2.5, 1e-320, 1e300, "", "x", "gelu", "eager", True, False,
    [], [1], ["c2p"], {}, {"0": "a"},
]  # fmt: skip
OTHER_KEYS = ("attn_implementation", "pruned_heads", "rope_theta", "summary_type", "z_steps")
SAMPLES = 30
"""Configs that are built in each family, of some hundreds that pass the schema."""


def list_accepted_configs(base: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the changes of one key that the checks of a folder accept."""
    names = FAMILY_KEYS.get(base["model_type"], {})
    keys = {names.get(name, name) for name in EncoderConfig.model_fields}
    accepted = []
    for key in sorted(keys | base.keys() | set(OTHER_KEYS)):
        for value in VALUES:
            config = base | {key: value}
            try:
                parse_config(config, find_family(config))
            except UnfitModel:
                continue
            accepted.append((key, value))
    return accepted


@pytest.mark.parametrize("family", ENCODERS)
def test_a_config_that_passes_the_checks_builds_a_network(family: str, tmp_path: Path) -> None:
    folder = ENCODERS[family](tmp_path)
    base = json.loads((folder / "config.json").read_text())
    accepted = list_accepted_configs(base)
    assert len(accepted) > SAMPLES
    for key, value in random.Random(family).sample(accepted, SAMPLES):
        (folder / "config.json").write_text(json.dumps(base | {key: value}))
        network = build_empty_network(folder)
        assert all(tensor.is_meta for tensor in network.parameters()), (key, value)


def test_a_config_that_transformers_does_not_accept_is_refused_in_words(tmp_path: Path) -> None:
    folder = ENCODERS["bert"](tmp_path)
    change_json(folder / "config.json", to_dict=1)  # it replaces a method
    with pytest.raises(BaseModelUnreadable, match="describes no network that transformers can"):
        check_base_model(folder)


def test_a_network_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    folder = ENCODERS["bert"](tmp_path)
    change_json(folder / "config.json", hidden_size=32_768, intermediate_size=262_144)
    network = build_empty_network(folder)  # of 60 billion parameters, in no memory
    with pytest.raises(BaseModelUnreadable, match=r"it needs about 1,\d{3}.\d GB"):
        check_network_size("it", network, 64 * 10**9)
    check_network_size("it", network, 4_000 * 10**9)


def test_a_folder_that_was_replaced_since_is_refused_by_the_trainer(tmp_path: Path) -> None:
    folder = ENCODERS["bert"](tmp_path)
    check_base_model(folder)
    change_json(folder / "config.json", num_attention_heads=5)
    with pytest.raises(BaseModelUnreadable, match="no multiple of num_attention_heads") as refused:
        load_encoder(folder, make_task(), 0)
    assert refused.value.param == "model"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    folder = ENCODERS["roberta"](tmp_path)
    name = "encoder.layer.1.output.dense.bias"

    assert name in read_tensors(folder)

    def spoil(tensors: dict[str, Any]) -> dict[str, Any]:
        tensors[name][3] = value
        return tensors

    change_tensors(folder, spoil)
    with pytest.raises(BaseModelUnreadable, match=f"not finite, in roberta.{name}"):
        load_encoder(folder, make_task(), 0)
