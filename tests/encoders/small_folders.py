"""Model folders of a few kilobytes, written without torch: enough for the checks of a folder."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "vocab_size": 8,
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "pad_token_id": 0,
}
TOKENIZER: dict[str, Any] = {
    "model": {"type": "WordLevel", "vocab": {"[PAD]": 0, "[UNK]": 1, "a": 2}, "unk_token": "[UNK]"}
}
_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I8": 1, "F8_E4M3": 1, "I32": 4}
_QUERY = "encoder.layer.{}.attention.self.query.weight"
_QUERY_OF = {
    "distilbert": "transformer.layer.{}.attention.q_lin.weight",
    "albert": "encoder.albert_layer_groups.{}.albert_layers.0.attention.query.weight",
    "mpnet": "encoder.layer.{}.attention.attn.q.weight",
}

Tensors = Mapping[str, tuple[str, list[int]]]
"""Type and shape by the name of the tensor."""


def build_config(model_type: str = "bert", **changes: Any) -> dict[str, Any]:
    """Return a config of a family under the family's own names, with changes."""
    config = CONFIG | {"model_type": model_type}
    if model_type == "distilbert":
        for name, key in (
            ("num_hidden_layers", "n_layers"),
            ("hidden_size", "dim"),
            ("num_attention_heads", "n_heads"),
            ("intermediate_size", "hidden_dim"),
        ):
            config[key] = config.pop(name)
    if model_type in ("albert", "electra"):
        config["embedding_size"] = 16
    return config | changes


def list_tensors(config: dict[str, Any]) -> dict[str, tuple[str, list[int]]]:
    """Return the tensors that the checks look for, in the shapes of a valid config."""
    is_distilbert = config["model_type"] == "distilbert"
    width = config["dim" if is_distilbert else "hidden_size"]
    narrow = config.get("embedding_size", width)
    layers = config["n_layers" if is_distilbert else "num_hidden_layers"]
    if config["model_type"] == "albert":
        layers = config.get("num_hidden_groups", 1)
    query = _QUERY_OF.get(config["model_type"], _QUERY)
    positions = config["max_position_embeddings"]
    parts: dict[str, tuple[str, list[int]]] = {}
    if config["model_type"] == "mpnet":
        parts["encoder.relative_attention_bias.weight"] = ("F32", [32, 2])
    if config["model_type"].startswith("deberta"):
        types = [config["type_vocab_size"], narrow]
        parts["embeddings.token_type_embeddings.weight"] = ("F32", types)
    return {
        **parts,
        "embeddings.word_embeddings.weight": ("F32", [config["vocab_size"], narrow]),
        "embeddings.position_embeddings.weight": ("F32", [positions, narrow]),
        **{query.format(index): ("F32", [width, width]) for index in range(layers)},
    }


def build_safetensors(tensors: Tensors) -> bytes:
    """Return a safetensors file of zeros."""
    header, end = {}, 0
    for name, (dtype, shape) in tensors.items():
        start, end = end, end + math.prod(shape) * _BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    return join_safetensors(header, bytes(end))


def join_safetensors(header: object, data: bytes) -> bytes:
    """Return a safetensors file with any header."""
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(content).to_bytes(8, "little") + content + data


def write_model(folder: Path, config: dict[str, Any] | None = None) -> Path:
    """Write a model folder that passes every check if the config does."""
    config = build_config() if config is None else config
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    (folder / "model.safetensors").write_bytes(build_safetensors(list_tensors(config)))
    return folder
