"""Base models under a new head: the source of each tensor, and the folders that are refused."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.encoders import ENCODERS, build_bert_folder
from tests.encoders.names import is_head
from tests.worker.training.runs import make_task
from worker.training.data.tokenizer import load_tokenizer
from worker.training.errors import BaseModelUnreadable
from worker.training.model.checkpoint import export_model
from worker.training.model.encoder import load_encoder


def load_parameters(base: Path, init_seed: int = 0, labels: int = 2) -> dict[str, Tensor]:
    task = make_task(label_names=[f"label {index}" for index in range(labels)], positive_label=None)
    return dict(load_encoder(base, task, init_seed).named_parameters())


@pytest.fixture
def copy(tiny_bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bert, tmp_path / "copy"))


def test_the_head_depends_on_the_init_seed_and_not_on_the_global_generator(
    tiny_bert: Path,
) -> None:
    torch.manual_seed(1)
    first = load_parameters(tiny_bert, init_seed=4)["classifier.weight"]
    torch.manual_seed(2)
    assert torch.equal(first, load_parameters(tiny_bert, init_seed=4)["classifier.weight"])
    assert not torch.equal(first, load_parameters(tiny_bert, init_seed=5)["classifier.weight"])


@pytest.mark.parametrize("family", ENCODERS)
def test_the_head_has_the_documented_distribution(family: str, tmp_path: Path) -> None:
    found = load_parameters(ENCODERS[family](tmp_path), labels=40)
    head = {name: tensor for name, tensor in found.items() if is_head(family, name)}
    assert len(head) in (2, 4)
    for name, tensor in head.items():
        if name.endswith("bias"):
            assert torch.all(tensor == 0), name
        else:
            assert tensor.std().item() == pytest.approx(0.02, rel=0.1), name


def test_the_label_names_are_in_the_config(tiny_bert: Path) -> None:
    config = load_encoder(
        tiny_bert, make_task(label_names=["a", "b", "c"], positive_label=None), 0
    ).config
    assert config.id2label == {0: "a", 1: "b", 2: "c"}
    assert config.label2id == {"a": 0, "b": 1, "c": 2}
    assert config.problem_type == "single_label_classification"


def test_loading_prints_and_logs_nothing(
    tiny_bert: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        load_parameters(tiny_bert)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_half_precision_weights_are_trained_in_float32(copy: Path) -> None:
    halves = {name: tensor.half() for name, tensor in load_file(copy / "model.safetensors").items()}
    save_file(halves, copy / "model.safetensors", metadata={"format": "pt"})
    found = load_parameters(copy)
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    name = "encoder.layer.0.output.dense.weight"
    assert torch.equal(found[f"bert.{name}"], halves[name].float())


def test_a_fine_tuned_base_model_gets_a_new_head(tiny_bert: Path, tmp_path: Path) -> None:
    task = make_task(label_names=["a", "b", "c"], positive_label=None)
    export_model(
        load_encoder(tiny_bert, task, 8), load_tokenizer(tiny_bert), task, tmp_path / "tuned"
    )
    for labels in (3, 2):
        fresh, again = (
            load_parameters(tiny_bert, labels=labels),
            load_parameters(tmp_path / "tuned", labels=labels),
        )
        assert fresh.keys() == again.keys()
        assert all(torch.equal(fresh[name], again[name]) for name in fresh)


def test_a_missing_pooler_is_drawn_from_the_init_seed(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("pooler.")}
    save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})
    torch.manual_seed(1)
    first = load_parameters(copy, init_seed=3)["bert.pooler.dense.weight"]
    torch.manual_seed(2)
    assert torch.equal(first, load_parameters(copy, init_seed=3)["bert.pooler.dense.weight"])
    assert first.std().item() == pytest.approx(0.02, rel=0.15)


def test_missing_encoder_weights_are_named(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        BaseModelUnreadable, match=r"lack 1 tensors: bert\.encoder\.layer\.1\.output\.dense\.weight"
    ) as caught:
        load_parameters(copy)
    assert caught.value.to_reason().code == "base_model_unreadable"


def test_encoder_weights_of_another_size_are_named(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"intermediate_size": 96}))
    with pytest.raises(BaseModelUnreadable, match="intermediate"):
        load_parameters(copy)


@pytest.mark.parametrize(
    "damage", ["no weights", "pickle alone", "cut short", "no config", "no json", "other family"]
)
def test_damaged_folders_are_rejected(damage: str, copy: Path) -> None:
    weights, config = copy / "model.safetensors", copy / "config.json"
    match damage:
        case "no weights":
            weights.unlink()
        case "pickle alone":
            torch.save(load_file(weights), copy / "pytorch_model.bin")
            weights.unlink()
        case "cut short":
            weights.write_bytes(weights.read_bytes()[:1000])
        case "no config":
            config.unlink()
        case "no json":
            config.write_text("{")
        case "other family":
            config.write_text(
                json.dumps(
                    {"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 1, "vocab_size": 9}
                )
            )
    with pytest.raises(BaseModelUnreadable) as caught:
        load_parameters(copy)
    assert caught.value.param == "model"


def test_dropout_comes_from_the_config(tmp_path: Path) -> None:
    network = load_encoder(build_bert_folder(tmp_path, dropout=0.25), make_task(), 0)
    dropouts = [module for module in network.modules() if isinstance(module, torch.nn.Dropout)]
    assert {dropout.p for dropout in dropouts} == {0.25}
