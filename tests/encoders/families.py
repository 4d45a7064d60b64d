"""A builder for every encoder family, as its checkpoints are published.

Each builder uses the class that was pre-trained, with that class's own head.
"""

from pathlib import Path
from typing import Any

from transformers import (
    AlbertConfig,
    AlbertModel,
    BertConfig,
    BertModel,
    DebertaConfig,
    DebertaForMaskedLM,
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForPreTraining,
    ModernBertConfig,
    ModernBertForMaskedLM,
    MPNetConfig,
    MPNetForMaskedLM,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)

from tests.encoders.saving import (
    BLOCKS,
    HEADS,
    WIDTH,
    Builder,
    build_common_settings,
    list_special_token_ids,
    save_encoder,
)
from tests.encoders.tokenizers import (
    build_byte_level_tokenizer,
    build_unigram_tokenizer,
    build_wordpiece_tokenizer,
)

WITH_UNUSED_POSITIONS = {"max_position_embeddings": 66}
"""Settings of families that count positions from padding_idx + 1: two positions stay unused."""


def build_bert_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Build a BERT with a pooler and a WordPiece tokenizer."""
    tokenizer = build_wordpiece_tokenizer()
    config = BertConfig(**build_common_settings(tokenizer, blocks, dropout))
    return save_encoder(lambda: BertModel(config), tokenizer, folder, seed)


def build_roberta_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Build a RoBERTa, without token types and pooler, with a byte-level BPE tokenizer."""
    tokenizer = build_byte_level_tokenizer()
    settings = build_common_settings(tokenizer, blocks, dropout) | WITH_UNUSED_POSITIONS
    config = RobertaConfig(**settings, type_vocab_size=1)
    return save_encoder(
        lambda: RobertaModel(config, add_pooling_layer=False), tokenizer, folder, seed
    )


def build_xlm_roberta_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Build an XLM-R: RoBERTa's network with a SentencePiece-like tokenizer.

    The tokenizer returns token types, which the network does not have.
    """
    tokenizer = build_unigram_tokenizer()
    settings = build_common_settings(tokenizer, blocks, dropout) | WITH_UNUSED_POSITIONS
    config = XLMRobertaConfig(**settings, type_vocab_size=1)
    return save_encoder(lambda: XLMRobertaForMaskedLM(config), tokenizer, folder, seed)


def build_electra_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Build an ELECTRA discriminator, with narrow embeddings and their projection."""
    tokenizer = build_wordpiece_tokenizer()
    config = ElectraConfig(
        **build_common_settings(tokenizer, blocks, dropout), embedding_size=WIDTH // 2
    )
    return save_encoder(lambda: ElectraForPreTraining(config), tokenizer, folder, seed)


def build_distilbert_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Build a DistilBERT, with its own config names and BERT's tokenizer.

    The tokenizer returns token types, which the network does not take.
    """
    tokenizer = build_wordpiece_tokenizer()
    config = DistilBertConfig(
        vocab_size=len(tokenizer),
        dim=WIDTH,
        n_layers=blocks,
        n_heads=HEADS,
        hidden_dim=2 * WIDTH,
        max_position_embeddings=64,
        dropout=dropout,
        attention_dropout=dropout,
        seq_classif_dropout=dropout,
        pad_token_id=tokenizer.pad_token_id,
    )
    return save_encoder(lambda: DistilBertForMaskedLM(config), tokenizer, folder, seed)


def build_albert_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Build an ALBERT, with one block for all layers, narrow embeddings and a pooler."""
    tokenizer = build_unigram_tokenizer()
    settings = build_common_settings(tokenizer, blocks, dropout) | {
        "classifier_dropout_prob": dropout
    }
    config = AlbertConfig(**settings, embedding_size=WIDTH // 2)
    return save_encoder(lambda: AlbertModel(config), tokenizer, folder, seed)


def build_deberta_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Build a DeBERTa, with relative positions, its own norm class and biases outside Linears."""
    tokenizer = build_byte_level_tokenizer()
    settings = build_common_settings(tokenizer, blocks, dropout) | RELATIVE
    config = DebertaConfig(**settings)
    return save_encoder(lambda: DebertaForMaskedLM(config), tokenizer, folder, seed)


def build_deberta_v2_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Build a DeBERTa v2, with a convolution and separate projections for positions."""
    tokenizer = build_unigram_tokenizer()
    extra = {"share_att_key": False, "conv_kernel_size": 3, "conv_act": "gelu"}
    settings = build_common_settings(tokenizer, blocks, dropout) | RELATIVE | BUCKETS | extra
    config = DebertaV2Config(**settings)
    return save_encoder(lambda: DebertaV2ForMaskedLM(config), tokenizer, folder, seed)


def build_deberta_v3_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Build a DeBERTa v3: v2 without the convolution, with shared projections."""
    tokenizer = build_unigram_tokenizer()
    settings = (
        build_common_settings(tokenizer, blocks, dropout)
        | RELATIVE
        | BUCKETS
        | {"share_att_key": True}
    )
    config = DebertaV2Config(**settings)
    return save_encoder(lambda: DebertaV2ForMaskedLM(config), tokenizer, folder, seed)


def build_modernbert_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Build a ModernBERT, with its pre-training head.

    It has rotary positions, norms without bias, local attention in most layers and a final norm.
    """
    tokenizer = build_byte_level_tokenizer()
    config = ModernBertConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        num_hidden_layers=blocks,
        num_attention_heads=HEADS,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=64,
        local_attention=8,
        embedding_dropout=dropout,
        attention_dropout=dropout,
        mlp_dropout=dropout,
        classifier_dropout=dropout,
        **list_special_token_ids(tokenizer),
    )
    return save_encoder(lambda: ModernBertForMaskedLM(config), tokenizer, folder, seed)


def build_mpnet_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Build an MPNet, with absolute positions and one table of relative ones for all blocks."""
    tokenizer = build_unigram_tokenizer()
    settings = build_common_settings(tokenizer, blocks, dropout) | WITH_UNUSED_POSITIONS
    config = MPNetConfig(**settings)
    return save_encoder(lambda: MPNetForMaskedLM(config), tokenizer, folder, seed)


RELATIVE: dict[str, Any] = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
}
BUCKETS: dict[str, Any] = {"position_buckets": 8, "norm_rel_ebd": "layer_norm"}

ENCODERS: dict[str, Builder] = {
    "bert": build_bert_folder,
    "roberta": build_roberta_folder,
    "xlm-roberta": build_xlm_roberta_folder,
    "electra": build_electra_folder,
    "distilbert": build_distilbert_folder,
    "albert": build_albert_folder,
    "deberta": build_deberta_folder,
    "deberta-v2": build_deberta_v2_folder,
    "deberta-v3": build_deberta_v3_folder,
    "modernbert": build_modernbert_folder,
    "mpnet": build_mpnet_folder,
}
