"""Parse config.json by its schema, and check what one value requires of another."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from shared.domain.invalid_values import describe_invalid_value, find_invalid_field
from shared.encoders.families import Family
from shared.encoders.validation.config_schema import (
    FAMILY_KEYS,
    NEVER_NULL,
    NEVER_NULL_BY_FAMILY,
    EncoderConfig,
    rename_keys,
)
from shared.encoders.validation.errors import UnfitModel

_NARROW_EMBEDDINGS = {"albert": 128, "electra": 128}
"""Families whose embeddings have a width of their own, with its default."""
_WITHOUT_TOKEN_TYPES = ("deberta", "deberta-v2", "distilbert", "modernbert", "mpnet")
"""Families whose networks may have no token types."""


def parse_config(config: dict[str, Any], family: Family) -> EncoderConfig:
    """Parse the config of a supported family. Raises UnfitModel for impossible values."""
    _refuse_nulls(config, family.model_type)
    values = rename_keys(config, family.model_type)
    try:
        parsed = EncoderConfig.model_validate(values)
    except ValidationError as error:
        raise _describe_invalid_config(error, values, family) from None
    for problem in _find_contradictions(parsed, family):
        raise UnfitModel(
            f"has an impossible config.json: {problem}. Copy the config.json of the original model."
        )
    return parsed


def _refuse_nulls(config: dict[str, Any], model_type: str) -> None:
    """Raise UnfitModel for a null in the place of a number that transformers needs. A key that is
    left out has a default there; null has none.
    """
    keys = FAMILY_KEYS.get(model_type, {})
    needed = {
        name
        for name, field in EncoderConfig.model_fields.items()
        if not field.is_required() and field.default is not None
    }
    for name in sorted(needed | NEVER_NULL | NEVER_NULL_BY_FAMILY.get(model_type, frozenset())):
        key = keys.get(name, name)
        if key in config and config[key] is None:
            raise UnfitModel(
                f"has an impossible config.json: {key} must not be null. "
                "Copy the config.json of the original model."
            )


def get_embedding_width(config: EncoderConfig, family: Family) -> int:
    """Return the width of the word embeddings."""
    default = _NARROW_EMBEDDINGS.get(family.model_type)
    if default is None and family.model_type not in ("deberta", "deberta-v2"):
        return config.hidden_size
    return config.embedding_size or default or config.hidden_size


def _describe_invalid_config(
    error: ValidationError, values: dict[str, Any], family: Family
) -> UnfitModel:
    invalid = find_invalid_field(error.errors(include_url=False), values)
    name, *rest = map(str, invalid.path)
    key = ".".join([FAMILY_KEYS.get(family.model_type, {}).get(name, name), *rest])
    if invalid.is_missing:
        return UnfitModel(
            f"cannot be used because its config.json is incomplete: {key} is missing. "
            "Copy the config.json of the original model."
        )
    return UnfitModel(
        f"has an impossible config.json: {'a key of ' if invalid.is_key else ''}{key[:100]} "
        f"{describe_invalid_value(invalid.errors)}. "
        "Copy the config.json of the original model."
    )


def _find_contradictions(config: EncoderConfig, family: Family) -> Iterator[str]:
    """Iterate over the values that are possible alone and impossible together."""
    keys = FAMILY_KEYS.get(family.model_type, {})
    width, heads = config.hidden_size, config.num_attention_heads
    width_key = keys.get("hidden_size", "hidden_size")
    heads_key = keys.get("num_attention_heads", "num_attention_heads")
    if width % heads:
        yield f"{width_key} ({width:,}) is no multiple of {heads_key} ({heads:,})"
    if config.pad_token_id is not None and config.pad_token_id >= config.vocab_size:
        yield (
            f"pad_token_id ({config.pad_token_id:,}) must be less than vocab_size "
            f"({config.vocab_size:,})"
        )
    if config.max_position_embeddings <= family.position_offset:
        yield f"max_position_embeddings must be greater than {family.position_offset}"
    if config.type_vocab_size == 0 and family.model_type not in _WITHOUT_TOKEN_TYPES:
        yield "type_vocab_size must be at least 1"
    yield from _find_family_contradictions(config, family.model_type)


def _find_family_contradictions(config: EncoderConfig, model_type: str) -> Iterator[str]:
    width, layers = config.hidden_size, config.num_hidden_layers
    if config.layer_types is not None and len(config.layer_types) != layers:
        yield f"layer_types must have {layers} items, one a layer"
    if model_type == "albert" and (config.num_hidden_groups or 1) > layers:
        yield "num_hidden_groups must be at most num_hidden_layers"
    if model_type == "modernbert" and width // config.num_attention_heads % 2:
        yield "hidden_size / num_attention_heads must be even for rotary positions"
    if model_type in ("deberta", "deberta-v2") and config.pooler_hidden_size not in (None, width):
        yield f"pooler_hidden_size ({config.pooler_hidden_size:,}) must be hidden_size ({width:,})"
    if model_type == "deberta-v2" and config.conv_kernel_size:
        if config.conv_kernel_size % 2 == 0:
            yield "conv_kernel_size must be odd"
        if width % config.conv_groups:
            yield "hidden_size must be a multiple of conv_groups"
