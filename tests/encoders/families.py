"""A builder for every family, as checkpoints of it are published: the class that was
pre-trained, with that class's own head.
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
    common_settings,
    save,
    special_tokens,
)
from tests.encoders.tokenizers import byte_level_bpe, unigram, wordpiece

WITH_UNUSED_POSITIONS = {
    "max_position_embeddings": 66
}  # two of them are never used: positions count from padding_idx + 1


def bert_folder(folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0) -> Path:
    """With a pooler and a WordPiece tokenizer."""
    tokenizer = wordpiece()
    config = BertConfig(**common_settings(tokenizer, blocks, dropout))
    return save(lambda: BertModel(config), tokenizer, folder, seed)


def roberta_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """No token types and no pooler under its classification head; a byte-level BPE tokenizer."""
    tokenizer = byte_level_bpe()
    settings = common_settings(tokenizer, blocks, dropout) | WITH_UNUSED_POSITIONS
    config = RobertaConfig(**settings, type_vocab_size=1)
    return save(lambda: RobertaModel(config, add_pooling_layer=False), tokenizer, folder, seed)


def xlm_roberta_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """RoBERTa's network; a SentencePiece-like tokenizer that tells the texts of a pair apart,
    which the network cannot.
    """
    tokenizer = unigram()
    settings = common_settings(tokenizer, blocks, dropout) | WITH_UNUSED_POSITIONS
    config = XLMRobertaConfig(**settings, type_vocab_size=1)
    return save(lambda: XLMRobertaForMaskedLM(config), tokenizer, folder, seed)


def electra_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Narrow embeddings and their projection; the discriminator of the pre-training."""
    tokenizer = wordpiece()
    config = ElectraConfig(**common_settings(tokenizer, blocks, dropout), embedding_size=WIDTH // 2)
    return save(lambda: ElectraForPreTraining(config), tokenizer, folder, seed)


def distilbert_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Names of its own in the config; BERT's tokenizer, with token types, which the network
    does not take.
    """
    tokenizer = wordpiece()
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
    return save(lambda: DistilBertForMaskedLM(config), tokenizer, folder, seed)


def albert_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """One block of weights for all layers, narrow embeddings, a pooler."""
    tokenizer = unigram()
    settings = common_settings(tokenizer, blocks, dropout) | {"classifier_dropout_prob": dropout}
    config = AlbertConfig(**settings, embedding_size=WIDTH // 2)
    return save(lambda: AlbertModel(config), tokenizer, folder, seed)


def deberta_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Relative positions only, a norm class of its own, biases outside of any Linear."""
    tokenizer = byte_level_bpe()
    settings = common_settings(tokenizer, blocks, dropout) | RELATIVE
    config = DebertaConfig(**settings)
    return save(lambda: DebertaForMaskedLM(config), tokenizer, folder, seed)


def deberta_v2_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """As v2 was published: a convolution beside the first block, projections of their own for
    positions.
    """
    tokenizer = unigram()
    beside = {"share_att_key": False, "conv_kernel_size": 3, "conv_act": "gelu"}
    settings = common_settings(tokenizer, blocks, dropout) | RELATIVE | BUCKETS | beside
    config = DebertaV2Config(**settings)
    return save(lambda: DebertaV2ForMaskedLM(config), tokenizer, folder, seed)


def deberta_v3_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """As v3 was published: the class of v2 without its convolution, words and positions
    projected by the same weights.
    """
    tokenizer = unigram()
    settings = (
        common_settings(tokenizer, blocks, dropout) | RELATIVE | BUCKETS | {"share_att_key": True}
    )
    config = DebertaV2Config(**settings)
    return save(lambda: DebertaV2ForMaskedLM(config), tokenizer, folder, seed)


def modernbert_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Rotary positions, norms without bias, local attention in most layers, a last norm, the
    prediction head of its pre-training.
    """
    tokenizer = byte_level_bpe()
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
        **special_tokens(tokenizer),
    )
    return save(lambda: ModernBertForMaskedLM(config), tokenizer, folder, seed)


def mpnet_folder(
    folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
) -> Path:
    """Absolute positions from padding_idx + 1, and one table of relative ones for all blocks."""
    tokenizer = unigram()
    settings = common_settings(tokenizer, blocks, dropout) | WITH_UNUSED_POSITIONS
    config = MPNetConfig(**settings)
    return save(lambda: MPNetForMaskedLM(config), tokenizer, folder, seed)


RELATIVE: dict[str, Any] = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
}
BUCKETS: dict[str, Any] = {"position_buckets": 8, "norm_rel_ebd": "layer_norm"}

ENCODERS: dict[str, Builder] = {
    "bert": bert_folder,
    "roberta": roberta_folder,
    "xlm-roberta": xlm_roberta_folder,
    "electra": electra_folder,
    "distilbert": distilbert_folder,
    "albert": albert_folder,
    "deberta": deberta_folder,
    "deberta-v2": deberta_v2_folder,
    "deberta-v3": deberta_v3_folder,
    "modernbert": modernbert_folder,
    "mpnet": mpnet_folder,
}
