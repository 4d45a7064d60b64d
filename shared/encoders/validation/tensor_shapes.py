"""Comparison of the weights with config.json: the tensors that show whether both belong together.

Only the shapes that config.json states are compared. The trainer, which builds the network, finds
every other difference. Tensors are found by the end of their names, because checkpoints differ in
what they put before (``bert.``, ``model.``, nothing).
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from shared.encoders.families import Family
from shared.encoders.validation.config_rules import get_embedding_width
from shared.encoders.validation.config_schema import EncoderConfig
from shared.encoders.validation.errors import UnfitModel
from shared.encoders.validation.safetensors_header import Tensor

_WORDS = ("embeddings.word_embeddings.weight", "embeddings.tok_embeddings.weight")
_POSITIONS = ("embeddings.position_embeddings.weight",)
_TOKEN_TYPES = ("embeddings.token_type_embeddings.weight",)
_QUERY = (
    ".attention.self.query.weight",
    ".attention.self.query_proj.weight",
    ".attention.q_lin.weight",
    ".attention.query.weight",
    ".attention.attn.q.weight",
)
_JOINED_QUERY = (".attention.self.in_proj.weight", ".attn.Wqkv.weight")
"""Queries, keys and values in one matrix: DeBERTa and ModernBERT."""
_FEED_FORWARD = (".intermediate.dense.weight", ".ffn.lin1.weight", ".ffn.weight")
_GATED_FEED_FORWARD = (".mlp.Wi.weight",)
_POSITION_BIAS = ("encoder.relative_attention_bias.weight",)
_BIASES = (
    (("embeddings.norm.bias",), "norm_bias"),
    ((".attn.Wqkv.bias",), "attention_bias"),
    ((".mlp.Wi.bias",), "mlp_bias"),
)
_CONVOLUTION = ("encoder.conv.conv.weight",)
_RELATIVE_POSITIONS = ("encoder.rel_embeddings.weight",)
_RELATIVE_TERMS = {
    ("deberta", "c2p"): (".attention.self.pos_proj.weight",),
    ("deberta", "p2c"): (".attention.self.pos_q_proj.weight",),
    ("deberta-v2", "c2p"): (".attention.self.pos_key_proj.weight",),
    ("deberta-v2", "p2c"): (".attention.self.pos_query_proj.weight",),
}
_BLOCK = re.compile(r"(?:^|\.)(?:layer|layers|albert_layer_groups)\.(\d{1,6})\.")


class _Rule(NamedTuple):
    """The shape that the tensors must have whose names end so."""

    endings: tuple[str, ...]
    shape: list[int]
    setting: str
    """The name in config.json that the sentence mentions."""


def check_shapes(tensors: Mapping[str, Tensor], config: EncoderConfig, family: Family) -> None:
    """Raise UnfitModel if the weights are not those of the network that config.json describes."""
    if not any(name.endswith(_WORDS) for name in tensors):
        raise UnfitModel(
            f"has no word embeddings of a {family.model_type} in its weights. Copy config.json "
            "and the weights from the same model."
        )
    _check_prefix(tensors, family)
    rules = list(_list_rules(config, family))
    for name, tensor in tensors.items():
        for rule in rules:
            if name.endswith(rule.endings) and tensor.shape != rule.shape:
                raise UnfitModel(
                    f"has weights that contradict its config.json: {name[:100]} is "
                    f"{_format_shape(tensor.shape)}, but {rule.setting} makes it "
                    f"{_format_shape(rule.shape)}. Copy both from the same model."
                )
    _check_optional_parts(tensors, config, family)
    _check_blocks(tensors, config, family)


def _check_prefix(tensors: Mapping[str, Tensor], family: Family) -> None:
    """Raise UnfitModel if the word embeddings lie where transformers does not look for them."""
    known = {"", f"{family.embeddings[0].partition('.')[0]}."}
    found = {
        name.removesuffix(ending) for name in tensors for ending in _WORDS if name.endswith(ending)
    }
    if found.isdisjoint(known):
        raise UnfitModel(
            f"has its weights under the prefix {min(found)[:60]!r}, which transformers does not "
            "read. Save the model with save_pretrained, without wrappers such as torch.compile or "
            "DataParallel."
        )


def _check_optional_parts(
    tensors: Mapping[str, Tensor], config: EncoderConfig, family: Family
) -> None:
    """Raise UnfitModel if a part that only config.json asks for has no weights."""
    for endings, setting in _list_optional_parts(config, family.model_type):
        if not any(name.endswith(endings) for name in tensors):
            raise UnfitModel(
                f"has weights that contradict its config.json: {endings[0]} is missing, which "
                f"{setting} requires. Copy both from the same model."
            )


def _list_optional_parts(
    config: EncoderConfig, model_type: str
) -> Iterator[tuple[tuple[str, ...], str]]:
    if model_type == "mpnet":
        yield _POSITION_BIAS, "the family mpnet"
    if model_type == "modernbert":
        asked = (config.norm_bias, config.attention_bias, config.mlp_bias)
        yield from (part for part, is_asked in zip(_BIASES, asked, strict=True) if is_asked)
    if model_type in ("deberta", "deberta-v2"):
        yield from _list_deberta_parts(config, model_type)


def _list_deberta_parts(
    config: EncoderConfig, model_type: str
) -> Iterator[tuple[tuple[str, ...], str]]:
    if config.type_vocab_size:
        yield _TOKEN_TYPES, "type_vocab_size"
    if config.position_biased_input:
        yield _POSITIONS, "position_biased_input"
    if model_type == "deberta-v2" and config.conv_kernel_size:
        yield _CONVOLUTION, "conv_kernel_size"
    if not config.relative_attention:
        return
    yield _RELATIVE_POSITIONS, "relative_attention"
    if model_type == "deberta" or not config.share_att_key:
        for term in ("c2p", "p2c"):
            if term in (config.pos_att_type or ()):
                yield _RELATIVE_TERMS[model_type, term], "pos_att_type"


def _count_relative_positions(config: EncoderConfig, model_type: str) -> int:
    if model_type == "deberta-v2" and config.position_buckets > 0:
        return 2 * config.position_buckets
    if config.max_relative_positions < 1:
        return 2 * config.max_position_embeddings
    return 2 * config.max_relative_positions


def _list_rules(config: EncoderConfig, family: Family) -> Iterator[_Rule]:
    width, feed_forward = config.hidden_size, config.intermediate_size
    embedding_width = get_embedding_width(config, family)
    yield _Rule(_WORDS, [config.vocab_size, embedding_width], "vocab_size and the width")
    positions = [config.max_position_embeddings, embedding_width]
    yield _Rule(_POSITIONS, positions, "max_position_embeddings")
    if config.type_vocab_size is not None:
        types = [config.type_vocab_size, embedding_width]
        yield _Rule(_TOKEN_TYPES, types, "type_vocab_size")
    if family.model_type == "mpnet":
        buckets = [config.relative_attention_num_buckets, config.num_attention_heads]
        yield _Rule(_POSITION_BIAS, buckets, "relative_attention_num_buckets")
    if family.model_type in ("deberta", "deberta-v2") and config.relative_attention:
        spans = [_count_relative_positions(config, family.model_type), width]
        yield _Rule(_RELATIVE_POSITIONS, spans, "the number of relative positions")
    if family.model_type == "deberta-v2" and config.conv_kernel_size:
        kernel = [width, width // config.conv_groups, config.conv_kernel_size]
        yield _Rule(_CONVOLUTION, kernel, "conv_kernel_size")
    if config.attention_head_size is not None and family.model_type == "deberta-v2":
        heads = [config.attention_head_size * config.num_attention_heads, width]
        yield _Rule(_QUERY, heads, "attention_head_size")
    else:
        yield _Rule(_QUERY, [width, width], "the width")
        yield _Rule(_JOINED_QUERY, [3 * width, width], "the width")
    if feed_forward is not None:
        yield _Rule(_FEED_FORWARD, [feed_forward, width], "the width of the feed-forward layer")
        gated = [2 * feed_forward, width]
        yield _Rule(_GATED_FEED_FORWARD, gated, "the width of the feed-forward layer")


def _check_blocks(tensors: Mapping[str, Tensor], config: EncoderConfig, family: Family) -> None:
    """Raise UnfitModel if a block that config.json counts has no weights."""
    count = config.num_hidden_layers
    if family.blocks_key is not None:
        count = config.num_hidden_groups or 1
    found = {int(match[1]) for name in tensors if (match := _BLOCK.search(name))}
    missing = [index for index in range(count) if index not in found]
    if missing:
        raise UnfitModel(
            f"has weights that contradict its config.json: {len(missing)} of {count} blocks are "
            f"missing, the first of them block {missing[0]}. Copy both from the same model."
        )


def _format_shape(shape: list[int]) -> str:
    return " × ".join(f"{size:,}" for size in shape)
