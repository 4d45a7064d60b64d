"""The schema of an encoder's config.json: every number that decides the network, with its bounds.

A config is data from a stranger. The bounds are far beyond published encoders (the largest,
DeBERTa v2 XXLarge, is 1,536 wide and has 48 layers), and tight enough that no value makes a later
library fail in words of its own. Names are those that most families use; ``FAMILY_KEYS`` has the
others. What the schema does not name is ignored, as most of it is by transformers.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

MAX_BLOCKS = 512
MAX_WIDTH = 32_768

Count = Annotated[int, Field(ge=1, le=MAX_BLOCKS)]
Width = Annotated[int, Field(ge=1, le=MAX_WIDTH)]
Rate = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Epsilon = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
RotaryBase = Annotated[float, Field(gt=1, le=1e9, allow_inf_nan=False)]
TokenId = Annotated[int, Field(ge=0)]
Name = Annotated[str, StringConstraints(max_length=10_000)]
Activation = Literal[
    "gelu",
    "gelu_10",
    "gelu_accurate",
    "gelu_fast",
    "gelu_new",
    "gelu_python",
    "gelu_python_tanh",
    "gelu_pytorch_tanh",
    "leaky_relu",
    "linear",
    "mish",
    "quick_gelu",
    "relu",
    "relu2",
    "relu6",
    "sigmoid",
    "silu",
    "swish",
    "tanh",
]
"""Activations of transformers without weights of their own and without compiled kernels."""
StoredType = Literal["auto", "float64", "float32", "float16", "bfloat16"]
AttentionSpan = Literal["full_attention", "sliding_attention"]
RelativeTerm = Literal["c2p", "p2c", "c2p|p2c", "p2c|c2p"]


def _require_fraction(value: object) -> object:
    """Return the value. Raises PydanticCustomError for 2 in place of 2.0, as transformers does."""
    if isinstance(value, int):
        raise PydanticCustomError("whole_number", "must be written with a decimal point")
    return value


class _Settings(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class RotarySettings(_Settings):
    """Rotary positions of one kind of layer."""

    rope_type: Literal["default"] = "default"
    rope_theta: RotaryBase | None = None


class EncoderConfig(_Settings):
    """What config.json says of the network, under the names that most families use."""

    vocab_size: int = Field(ge=2, le=8_388_608)
    num_hidden_layers: Count
    hidden_size: Width
    num_attention_heads: int = Field(ge=1, le=1024)
    intermediate_size: int | None = Field(None, ge=1, le=8 * MAX_WIDTH)
    max_position_embeddings: int = Field(ge=4, le=4_194_304)
    embedding_size: Width | None = None
    type_vocab_size: int | None = Field(None, ge=0, le=1024)
    num_hidden_groups: Count | None = None
    inner_group_num: int | None = Field(None, ge=1, le=64)
    pad_token_id: TokenId | None = None
    bos_token_id: TokenId | None = None
    eos_token_id: TokenId | list[TokenId] | None = None
    cls_token_id: TokenId | None = None
    sep_token_id: TokenId | None = None
    hidden_act: Activation = "gelu"
    classifier_activation: Activation = "gelu"
    pooler_hidden_act: Activation = "gelu"
    conv_act: Activation = "tanh"
    hidden_dropout_prob: Rate = 0.0
    attention_probs_dropout_prob: Rate = 0.0
    classifier_dropout: Rate | None = None
    classifier_dropout_prob: Rate = 0.0
    seq_classif_dropout: Rate = 0.0
    summary_last_dropout: Rate = 0.0
    pooler_dropout: Rate = 0.0
    cls_dropout: Rate | None = None
    embedding_dropout: Rate = 0.0
    mlp_dropout: Rate = 0.0
    qa_dropout: Rate = 0.0
    layer_norm_eps: Epsilon = 1e-12
    initializer_range: Epsilon = 0.02
    initializer_cutoff_factor: Annotated[
        float, BeforeValidator(_require_fraction), Field(gt=0, le=100, allow_inf_nan=False)
    ] = 2.0
    chunk_size_feed_forward: Literal[0] = 0

    # relative positions: DeBERTa and MPNet
    relative_attention: bool = False
    position_biased_input: bool = True
    share_att_key: bool = False
    talking_head: bool = False
    legacy: bool = True
    pos_att_type: RelativeTerm | list[Literal["c2p", "p2c"]] | None = None
    max_relative_positions: int = Field(-1, ge=-1, le=65_536)
    position_buckets: int = Field(-1, ge=-1, le=65_536)
    relative_attention_num_buckets: int = Field(32, ge=4, le=65_536, multiple_of=2)
    norm_rel_ebd: Literal["none", "layer_norm"] = "none"
    conv_kernel_size: int = Field(0, ge=0, le=101)
    conv_groups: int = Field(1, ge=1, le=MAX_WIDTH)
    attention_head_size: Width | None = None
    pooler_hidden_size: Width | None = None

    # rotary positions and local attention: ModernBERT
    local_attention: int = Field(128, ge=2, le=1_048_576)
    global_attn_every_n_layers: int = Field(3, ge=1, le=MAX_BLOCKS)
    global_rope_theta: RotaryBase | None = None
    local_rope_theta: RotaryBase | None = None
    rope_parameters: dict[AttentionSpan, RotarySettings | None] | None = None
    rope_scaling: None = None
    layer_types: list[AttentionSpan] | None = None
    classifier_pooling: Literal["cls", "mean"] = "cls"
    norm_bias: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    classifier_bias: bool = False
    decoder_bias: bool = True
    sparse_prediction: bool = False

    # settings of all models
    is_decoder: bool = False
    is_encoder_decoder: bool = False
    add_cross_attention: bool = False
    sinusoidal_pos_embds: bool = False
    tie_word_embeddings: bool = True
    use_cache: bool | None = None
    transformers_version: Name | None = None
    summary_type: Name | None = None
    summary_activation: Name | None = None
    summary_use_proj: bool | None = None
    deterministic_flash_attn: bool | None = None
    sparse_pred_ignore_index: int | None = None
    output_hidden_states: bool | None = None
    output_attentions: bool | None = None
    return_dict: bool | None = None
    torch_dtype: StoredType | None = None
    dtype: StoredType | None = None
    architectures: list[Name] | None = None
    tokenizer_class: Name | None = None
    id2label: dict[Annotated[str, StringConstraints(pattern=r"^\d{1,9}$")], Name] | None = None
    label2id: dict[str, int] | None = None
    num_labels: int | None = Field(None, ge=1, le=1_000_000)
    problem_type: (
        Literal["regression", "single_label_classification", "multi_label_classification"] | None
    ) = None
    per_layer_config: None = None


FAMILY_KEYS: dict[str, dict[str, str]] = {
    "distilbert": {
        "num_hidden_layers": "n_layers",
        "hidden_size": "dim",
        "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim",
        "hidden_act": "activation",
        "hidden_dropout_prob": "dropout",
        "attention_probs_dropout_prob": "attention_dropout",
    },
    "modernbert": {
        "hidden_act": "hidden_activation",
        "layer_norm_eps": "norm_eps",
        "attention_probs_dropout_prob": "attention_dropout",
    },
}
"""Names in config.json that differ from the schema's, by family and the schema's name."""


NEVER_NULL = frozenset({"intermediate_size", "num_labels"})
"""Keys that may be left out, and may not be null in any family."""
_LIKE_BERT = frozenset({"type_vocab_size", "use_cache"})
_LIKE_DEBERTA = frozenset({"embedding_size", "type_vocab_size", "pooler_hidden_size"})
NEVER_NULL_BY_FAMILY: dict[str, frozenset[str]] = {
    "bert": _LIKE_BERT,
    **dict.fromkeys(("roberta", "xlm-roberta"), _LIKE_BERT | {"pad_token_id"}),
    "mpnet": frozenset({"pad_token_id"}),
    "electra": _LIKE_BERT
    | {"embedding_size", "summary_type", "summary_activation", "summary_use_proj"},
    "albert": frozenset(
        {"embedding_size", "type_vocab_size", "num_hidden_groups", "inner_group_num"}
    ),
    "deberta": _LIKE_DEBERTA,
    "deberta-v2": _LIKE_DEBERTA | {"attention_head_size"},
    "modernbert": frozenset(
        {"classifier_dropout", "deterministic_flash_attn", "sparse_pred_ignore_index"}
    ),
}
"""Further ones of single families; ``tests/worker/training/model/test_accepted_configs.py`` finds
those that are missing here.
"""


def rename_keys(config: dict[str, Any], model_type: str) -> dict[str, Any]:
    """Return the config under the schema's names; null stands for a missing value."""
    renamed = {key: config[key] for key in config if config[key] is not None}
    for name, key in FAMILY_KEYS.get(model_type, {}).items():
        renamed.pop(name, None)
        if config.get(key) is not None:
            renamed[name] = config[key]
    return renamed
