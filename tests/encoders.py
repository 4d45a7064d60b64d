"""Tiny encoders with random weights, and their tokenizers, as folders on disk: what a base model is, in milliseconds of training."""

import string
from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedModel, PreTrainedTokenizerFast, RobertaConfig, RobertaModel
from transformers.utils import logging

WIDTH, BLOCKS, HEADS = 32, 3, 2
CORPUS = (
    "the good film was a joy and a delight to watch from start to end",
    "a bad and dull film that was no joy at all to watch",
    "why would anyone watch this again it is long and it is not good",
    "what a lovely story told with care and with a warm heart",
)


def bert_folder(folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0) -> Path:
    """A BERT with a pooler and a WordPiece tokenizer."""
    tokenizer = _wordpiece()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        num_hidden_layers=blocks,
        num_attention_heads=HEADS,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        pad_token_id=tokenizer.pad_token_id,
    )
    return _save(lambda: BertModel(config), tokenizer, folder, seed)


def roberta_folder(folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0) -> Path:
    """A RoBERTa, which has no token types and no pooler under its classification head, and a byte-level BPE tokenizer."""
    tokenizer = _byte_level_bpe()
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        num_hidden_layers=blocks,
        num_attention_heads=HEADS,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=66,  # two of them are never used: positions count from padding_idx + 1
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return _save(lambda: RobertaModel(config, add_pooling_layer=False), tokenizer, folder, seed)


def _save(build: Callable[[], PreTrainedModel], tokenizer: PreTrainedTokenizerFast, folder: Path, seed: int) -> Path:
    """Random weights away from where initialisation would put them, so that a tensor that was drawn afresh shows."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        network.save_pretrained(folder)
    finally:
        if bars:
            logging.enable_progress_bar()
    tokenizer.save_pretrained(folder)
    return folder


def _wordpiece() -> PreTrainedTokenizerFast:
    """Whole words of the corpus, and single letters for all others. Listed, not trained: training breaks ties at random."""
    letters = [prefix + letter for letter in string.ascii_lowercase for prefix in ("", "##")]
    words = sorted({word for sentence in CORPUS for word in sentence.split() if len(word) > 1})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *words]
    tokenizer = Tokenizer(models.WordPiece({piece: index for index, piece in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    separators = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=separators
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def _byte_level_bpe() -> PreTrainedTokenizerFast:
    """Single bytes and four merges."""
    merges = [("t", "h"), ("th", "e"), ("i", "n"), ("o", "o")]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *alphabet, *(first + second for first, second in merges)]
    tokenizer = Tokenizer(models.BPE({piece: index for index, piece in enumerate(vocabulary)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        model_input_names=["input_ids", "attention_mask"],
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        sep_token="</s>",
        cls_token="<s>",
        unk_token="<unk>",
        mask_token="<mask>",
    )
