"""Exported folders have what text-embeddings-inference reads of each family that it serves.

The keys, their types and the names of the tensors are those that its Rust structures require; a
missing or null one keeps it from starting.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForSequenceClassification

from shared.recipe.fields import Pooling
from tests.encoders import ENCODERS
from tests.worker.training.runs import make_task
from worker.training.data.tokenizer import get_export_tokenizer
from worker.training.model.checkpoint import export_model
from worker.training.model.earlier_config import add_earlier_names
from worker.training.model.encoder import load_encoder
from worker.training.model.pooled_classifier import HeadChoice
from worker.training.model.transformers_logging import silence_transformers

LENGTH = 16

ACTIVATIONS = frozenset({"gelu", "gelu_new", "relu", "silu", "swiglu", "tanh"})
_SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
_BERT = (*_SIZES, "intermediate_size", "max_position_embeddings", "pad_token_id")
WHOLE_NUMBERS: dict[str, tuple[str, ...]] = {
    "bert": (*_BERT, "type_vocab_size"),
    "roberta": (*_BERT, "type_vocab_size"),
    "xlm-roberta": (*_BERT, "type_vocab_size"),
    "distilbert": ("vocab_size", "dim", "n_layers", "n_heads", "hidden_dim", "pad_token_id"),
    "mpnet": (*_BERT, "relative_attention_num_buckets"),
    "deberta-v3": (*_BERT, "type_vocab_size", "position_buckets", "max_relative_positions"),
    "modernbert": (
        *(*_BERT, "eos_token_id", "bos_token_id", "cls_token_id", "sep_token_id"),
        *("global_attn_every_n_layers", "local_attention", "num_labels"),
    ),
}
NUMBERS: dict[str, tuple[str, ...]] = {
    "bert": ("hidden_dropout_prob", "initializer_range", "layer_norm_eps"),
    "modernbert": ("global_rope_theta", "local_rope_theta", "norm_eps", "attention_dropout"),
}
TENSORS: dict[str, tuple[str, ...]] = {
    "bert": (
        "bert.embeddings.LayerNorm.weight",
        "bert.encoder.layer.0.attention.self.query.weight",
        *("bert.pooler.dense.weight", "classifier.weight", "classifier.bias"),
    ),
    "roberta": ("roberta.embeddings.LayerNorm.bias", "classifier.out_proj.weight"),
    "xlm-roberta": ("roberta.embeddings.LayerNorm.bias", "classifier.dense.weight"),
    "distilbert": ("distilbert.transformer.layer.0.sa_layer_norm.weight", "pre_classifier.weight"),
    "mpnet": ("mpnet.encoder.relative_attention_bias.weight", "classifier.dense.weight"),
    "deberta-v3": ("deberta.embeddings.word_embeddings.weight", "pooler.dense.weight"),
    "modernbert": ("model.layers.0.attn.Wqkv.weight", "head.dense.weight", "classifier.bias"),
}


def export(family: str, tmp_path: Path, pooling: Pooling = "family") -> Path:
    base, folder = ENCODERS[family](tmp_path / "base"), tmp_path / "model"
    task = make_task(max_seq_length=LENGTH)
    network = load_encoder(base, task, 0, HeadChoice(pooling))
    folder.mkdir()
    export_model(network, get_export_tokenizer(base), task, folder)
    return folder


def read_json(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8")))


def list_tensors(folder: Path) -> set[str]:
    with safe_open(folder / "model.safetensors", framework="pt") as weights:
        return set(weights.keys())


@pytest.mark.parametrize("family", WHOLE_NUMBERS)
def test_a_classifier_has_what_the_server_reads(family: str, tmp_path: Path) -> None:
    folder = export(family, tmp_path)
    config = read_json(folder / "config.json")
    assert config["architectures"][0].endswith("Classification")
    assert config["id2label"] == {"0": "no", "1": "yes"}
    assert config["label2id"] == {"no": 0, "yes": 1}
    for key in WHOLE_NUMBERS[family]:
        assert type(config[key]) is int, key
    for key in NUMBERS.get(family, ()):
        assert type(config[key]) in (int, float), key
    activation = config.get("hidden_act", config.get("activation", config.get("hidden_activation")))
    assert activation in ACTIVATIONS
    assert set(TENSORS[family]) <= list_tensors(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.padding is tokenizer.truncation is None
    assert not (folder / "model.safetensors.index.json").exists()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_a_pooled_encoder_has_what_the_server_reads(
    family: str, pooling: Pooling, tmp_path: Path
) -> None:
    folder = export(family, tmp_path, pooling=pooling)
    config = read_json(folder / "config.json")
    assert not any(name.endswith("Classification") for name in config["architectures"])
    modes = read_json(folder / "1_Pooling" / "config.json")
    required = {
        "pooling_mode_cls_token": pooling == "cls",
        "pooling_mode_mean_tokens": pooling == "mean",
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    assert {name: modes[name] for name in required} == required
    assert read_json(folder / "sentence_bert_config.json")["max_seq_length"] == LENGTH
    names = list_tensors(folder)
    first = "embeddings.word_embeddings.weight" if family == "bert" else "layers.0.attn.Wqkv.weight"
    assert first in names
    assert not any(name.startswith(("classifier", "head.")) for name in names)


def test_the_earlier_names_leave_the_network_as_it_was(tmp_path: Path) -> None:
    folder = export("modernbert", tmp_path)
    config = read_json(folder / "config.json")
    rope = config["rope_parameters"]
    assert config["global_rope_theta"] == rope["full_attention"]["rope_theta"]
    assert config["local_rope_theta"] == rope["sliding_attention"]["rope_theta"]
    added = {"global_rope_theta", "local_rope_theta", "num_labels", "global_attn_every_n_layers"}
    plain = {name: value for name, value in config.items() if name not in added}
    with silence_transformers():
        with_names = AutoModelForSequenceClassification.from_pretrained(folder)
        (folder / "config.json").write_text(json.dumps(plain))
        without = AutoModelForSequenceClassification.from_pretrained(folder)
    for name in ("rope_parameters", "layer_types", "id2label", "num_labels"):
        assert getattr(with_names.config, name) == getattr(without.config, name)
    assert with_names.state_dict().keys() == without.state_dict().keys()


def test_irregular_places_of_global_attention_are_not_named(tmp_path: Path) -> None:
    folder = ENCODERS["modernbert"](tmp_path / "base", blocks=4)
    content = read_json(folder / "config.json")
    kinds = ["full_attention", "full_attention", "sliding_attention", "full_attention"]
    (folder / "config.json").write_text(json.dumps(content | {"layer_types": kinds}))
    add_earlier_names(AutoConfig.from_pretrained(folder), folder)
    assert "global_attn_every_n_layers" not in read_json(folder / "config.json")
