"""Every config.json that no run could train from is refused in a sentence with the cure."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.encoders.validation import check_model_folder
from tests.encoders.small_folders import build_config, write_model
from tests.shared.encoders.unfit import assert_refused

TEXTS: dict[str, tuple[str, str]] = {
    "no-json": ("{", "config.json is damaged"),
    "empty": ("", "config.json is damaged"),
    "a-list": ("[1]", "it is no JSON object"),
    "null": ("null", "it is no JSON object"),
    "not-utf8": ("\udcff", "config.json is damaged"),
    "byte-order-mark": ("\ufeff{}", "config.json is damaged"),
    "not-a-number": ('{"model_type": "bert", "hidden_size": NaN}', "contains NaN"),
    "infinite": ('{"model_type": "bert", "layer_norm_eps": -Infinity}', "contains -Infinity"),
    "deep": ("[" * 100_000, "nested too deeply"),
    "long-number": ('{"hidden_size": ' + "9" * 5000 + "}", "config.json is damaged"),
    "huge": (" " * 9_000_000, "of 9,000,000 bytes"),
    "nothing": ("{}", "without a model_type"),
}
CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "family-list": ({"model_type": ["bert"]}, "without a model_type"),
    "unknown-family": (
        {"model_type": "wav2vec2"},
        "'wav2vec2', which is not supported. Supported families: albert, bert, ",
    ),
    "decoder": ({"model_type": "llama"}, r"is a decoder \(family 'llama'\)"),
    "new-decoder": (
        {"model_type": "brandnew", "architectures": ["BrandNewForCausalLM"]},
        r"is a decoder \(family 'brandnew'\)",
    ),
    "bert-as-decoder": ({"is_decoder": True}, "is a decoder"),
    "cross-attention": ({"add_cross_attention": True}, "is a decoder"),
    "encoder-decoder": ({"model_type": "t5"}, "is an encoder-decoder"),
    "new-encoder-decoder": ({"is_encoder_decoder": True}, "is an encoder-decoder"),
    "own-code": ({"auto_map": {"AutoModel": "x.Y"}}, r"code from its own repository \(auto_map\)"),
    "gptq": ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, r"quantized \(gptq\)"),
    "bitsandbytes": ({"quantization_config": {"load_in_8bit": True}}, "is quantized"),
    "flash": ({"_attn_implementation": "flash_attention_2"}, "asks for the attention kernels"),
    "hub-kernels": ({"attn_implementation": "kernels-community/x"}, "asks for the attention"),
    "kernels": ({"use_kernels": True}, "compute kernels of the hub"),
    "relative-positions": ({"position_embedding_type": "relative_key"}, "'relative_key'"),
    "no-width": ({"hidden_size": None}, "hidden_size is missing"),
    "no-vocabulary": ({"vocab_size": None}, "vocab_size is missing"),
    "width-0": ({"hidden_size": 0}, "hidden_size must be at least 1"),
    "width-negative": ({"hidden_size": -32}, "hidden_size must be at least 1"),
    "width-huge": ({"hidden_size": 10**9}, "hidden_size must be at most 32,768"),
    "width-text": ({"hidden_size": "32"}, "hidden_size must be a whole number"),
    "width-fraction": ({"hidden_size": 32.5}, "hidden_size must be a whole number"),
    "width-true": ({"hidden_size": True}, "hidden_size must be a whole number"),
    "no-layers": ({"num_hidden_layers": 0}, "num_hidden_layers must be at least 1"),
    "many-layers": ({"num_hidden_layers": 10**6}, "num_hidden_layers must be at most 512"),
    "no-heads": ({"num_attention_heads": 0}, "num_attention_heads must be at least 1"),
    "odd-heads": ({"num_attention_heads": 3}, r"hidden_size \(32\) is no multiple of .*\(3\)"),
    "huge-vocabulary": ({"vocab_size": 10**12}, "vocab_size must be at most"),
    "few-positions": (
        {"model_type": "roberta", "max_position_embeddings": 2},
        "max_position_embeddings must be at least 4",
    ),
    "padding-outside": ({"pad_token_id": 8}, r"pad_token_id \(8\) must be less than vocab_size"),
    "padding-negative": ({"pad_token_id": -1}, "pad_token_id must be at least 0"),
    "no-types": ({"type_vocab_size": 0}, "type_vocab_size must be at least 1"),
    "activation": ({"hidden_act": "xielu"}, 'hidden_act must be "gelu"'),
    "dropout": ({"hidden_dropout_prob": 1.5}, "hidden_dropout_prob must be less than 1"),
    "epsilon": ({"layer_norm_eps": 0}, "layer_norm_eps must be greater than 0"),
    "epsilon-overflow": ({"layer_norm_eps": 1e308}, "layer_norm_eps must be less than 1"),
    "labels": ({"id2label": {"first": "a"}}, "a key of id2label must match"),
    "stored-type": ({"torch_dtype": "int4"}, 'torch_dtype must be "auto"'),
    "distilbert-name": (build_config("distilbert", dim=0), "dim must be at least 1"),
    "distilbert-heads": (build_config("distilbert", n_heads=5), r"dim \(32\) .* n_heads \(5\)"),
    "no-groups": (build_config("albert", num_hidden_groups=0), "num_hidden_groups must be"),
    "many-groups": (build_config("albert", num_hidden_groups=3), "at most num_hidden_layers"),
    "odd-rotation": (build_config("modernbert", num_attention_heads=32), "must be even"),
    "rotation": (build_config("modernbert", global_rope_theta=0), "global_rope_theta must be"),
    "layer-types": (build_config("modernbert", layer_types=["full_attention"]), "2 items"),
    "convolution": (build_config("deberta-v2", conv_kernel_size=2), "conv_kernel_size must be odd"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_config_that_is_no_object_is_refused(tmp_path: Path, name: str) -> None:
    text, reason = TEXTS[name]
    folder = write_model(tmp_path / name)
    (folder / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    assert_refused(folder, reason)


@pytest.mark.parametrize("name", CHANGES)
def test_an_impossible_config_is_refused(tmp_path: Path, name: str) -> None:
    changes, reason = CHANGES[name]
    folder = write_model(tmp_path / name)
    (folder / "config.json").write_text(json.dumps(build_config() | changes))
    assert_refused(folder, reason)


def test_values_that_published_configs_have_are_accepted(tmp_path: Path) -> None:
    unusual: dict[str, Any] = {
        "torch_dtype": "float16",
        "hidden_act": "gelu_new",
        "position_embedding_type": "absolute",
        "classifier_dropout": None,
        "hidden_dropout_prob": 0,
        "id2label": {"0": "a", "1": "b", "2": "c"},
        "label2id": {"a": 0, "b": 1, "c": 2},
        "directionality": "bidi",
        "pooler_fc_size": 768,
        "gradient_checkpointing": False,
        "model_max_length": 1e30,
        "_attn_implementation": "sdpa",
    }
    found = check_model_folder(write_model(tmp_path / "it", build_config(**unusual)))
    assert found.config.hidden_dropout_prob == 0
    assert found.max_length == 64
