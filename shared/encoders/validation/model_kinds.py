"""Kinds of models by their config.json: the supported families, and why others are refused."""

from typing import Any

from shared.encoders.families import FAMILIES, Family
from shared.encoders.validation.errors import UnfitModel

# fmt: off
DECODERS = frozenset([
    "bloom", "codegen", "cohere", "ctrl", "deepseek_v2", "deepseek_v3", "falcon", "gemma",
    "gemma2", "gemma3", "gemma3_text", "glm", "gpt2", "gpt_bigcode", "gpt_neo", "gpt_neox",
    "gpt_oss", "gptj", "granite", "llama", "llama4_text", "mamba", "mistral", "mixtral", "mpt",
    "olmo", "olmo2", "openai-gpt", "opt", "persimmon", "phi", "phi3", "qwen2", "qwen3",
    "qwen3_moe", "recurrent_gemma", "rwkv", "smollm3", "stablelm", "starcoder2", "xglm",
])
# fmt: on
"""``model_type`` of models that read a text only from left to right."""
# fmt: off
ENCODER_DECODERS = frozenset([
    "bart", "bigbird_pegasus", "blenderbot", "blenderbot-small", "encoder-decoder", "fsmt",
    "led", "longt5", "m2m_100", "marian", "mbart", "mt5", "mvp", "nllb-moe", "pegasus",
    "pegasus_x", "plbart", "prophetnet", "speech-encoder-decoder", "switch_transformers", "t5",
    "t5gemma", "umt5", "vision-encoder-decoder", "whisper",
])
# fmt: on
"""``model_type`` of models that turn a text into another."""
_SAFE_ATTENTION = (None, "eager", "sdpa")
_WITHOUT_SDPA = ("deberta", "deberta-v2", "mpnet")
"""Families that transformers computes in one way only."""
_ATTENTION_KEYS = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")
_QUANTIZATION_KEYS = ("quantization_config", "compression_config")


def find_family(config: dict[str, Any]) -> Family:
    """Return the family of an encoder. Raises UnfitModel for any other kind of model."""
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or not model_type:
        raise UnfitModel(
            "has a config.json without a model_type. Copy the config.json of the original model."
        )
    _refuse_code(config)
    _refuse_decoders(config, model_type)
    family = FAMILIES.get(model_type)
    if family is None:
        raise UnfitModel(
            f"belongs to the family {model_type[:60]!r}, which is not supported. "
            f"{_list_supported_families()}"
        )
    _refuse_quantization(config)
    _refuse_other_kernels(config, model_type)
    return family


def _list_supported_families() -> str:
    return f"Supported families: {', '.join(sorted(FAMILIES))}."


def _refuse_code(config: dict[str, Any]) -> None:
    if config.get("auto_map") is not None:
        raise UnfitModel(
            "needs code from its own repository (auto_map), which the service never runs. "
            "Choose another base model."
        )


def _refuse_decoders(config: dict[str, Any], model_type: str) -> None:
    heads = _list_architectures(config)
    if (
        config.get("is_encoder_decoder")
        or model_type in ENCODER_DECODERS
        or (model_type not in FAMILIES and heads.endswith("ForConditionalGeneration"))
    ):
        raise UnfitModel(
            f"is an encoder-decoder (family {model_type[:60]!r}), and only encoders are "
            f"fine-tuned. "
            f"{_list_supported_families()}"
        )
    if (
        config.get("is_decoder")
        or config.get("add_cross_attention")
        or model_type in DECODERS
        or (model_type not in FAMILIES and heads.endswith("ForCausalLM"))
    ):
        raise UnfitModel(
            f"is a decoder (family {model_type[:60]!r}), and only encoders are fine-tuned. "
            f"{_list_supported_families()}"
        )


def _list_architectures(config: dict[str, Any]) -> str:
    """Return the name of the class that the model was saved from; empty if it is not stated."""
    architectures = config.get("architectures")
    if isinstance(architectures, list) and architectures and isinstance(architectures[0], str):
        return architectures[0]
    return ""


def _refuse_quantization(config: dict[str, Any]) -> None:
    for key in _QUANTIZATION_KEYS:
        settings = config.get(key)
        if settings is not None:
            method = settings.get("quant_method") if isinstance(settings, dict) else None
            raise UnfitModel(
                f"is quantized ({str(method or key)[:60]}), and only weights in floating point "
                "are fine-tuned. Use the model that it was made from."
            )


def _refuse_other_kernels(config: dict[str, Any], model_type: str) -> None:
    safe = _SAFE_ATTENTION[:-1] if model_type in _WITHOUT_SDPA else _SAFE_ATTENTION
    for key in _ATTENTION_KEYS:
        if config.get(key) not in safe:
            raise UnfitModel(
                f"asks for the attention kernels {str(config[key])[:60]!r} in its config.json. "
                f'Remove {key} or set it to "{safe[-1]}".'
            )
    if config.get("use_kernels") or config.get("kernel_config"):
        raise UnfitModel(
            "asks for compute kernels of the hub in its config.json, which are code. Remove "
            "use_kernels and kernel_config."
        )
    if config.get("position_embedding_type") not in (None, "absolute"):
        raise UnfitModel(
            f"has positions of the type {str(config['position_embedding_type'])[:60]!r}, which "
            "transformers no longer computes. Choose another base model."
        )
