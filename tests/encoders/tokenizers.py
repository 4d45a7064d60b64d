"""Tokenizers of the three kinds that the families use, over a few dozen words, made without
training: training breaks ties at random.
"""

import string

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

CORPUS = (
    "the good film was a joy and a delight to watch from start to end",
    "a bad and dull film that was no joy at all to watch",
    "why would anyone watch this again it is long and it is not good",
    "what a lovely story told with care and with a warm heart",
)
LIMIT = 64  # tokens; what the tiny encoders have positions for


def words() -> list[str]:
    return sorted({word for sentence in CORPUS for word in sentence.split() if len(word) > 1})


def wordpiece() -> PreTrainedTokenizerFast:
    """BERT's kind: whole words of the corpus, and single letters for all others."""
    letters = [prefix + letter for letter in string.ascii_lowercase for prefix in ("", "##")]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *words()]
    tokenizer = Tokenizer(
        models.WordPiece(
            {piece: index for index, piece in enumerate(vocabulary)}, unk_token="[UNK]"
        )
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    separators = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=separators
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=LIMIT,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def byte_level_bpe() -> PreTrainedTokenizerFast:
    """RoBERTa's kind: single bytes and four merges."""
    merges = [("t", "h"), ("th", "e"), ("i", "n"), ("o", "o")]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "<mask>",
        *alphabet,
        *(first + second for first, second in merges),
    ]
    tokenizer = Tokenizer(
        models.BPE({piece: index for index, piece in enumerate(vocabulary)}, merges)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=LIMIT,
        model_input_names=["input_ids", "attention_mask"],
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        sep_token="</s>",
        cls_token="<s>",
        unk_token="<unk>",
        mask_token="<mask>",
    )


def unigram() -> PreTrainedTokenizerFast:
    """SentencePiece's kind (XLM-R, ALBERT, DeBERTa v2): pieces that carry the blank before
    them, by their log-probability.
    """
    pieces = [*("▁" + word for word in words()), "▁", *string.ascii_lowercase, *string.digits]
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    vocabulary = [
        *((name, 0.0) for name in special),
        *((piece, -1.0 - len(piece) / 100) for piece in pieces),
    ]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=special.index("<unk>")))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B:1 </s>:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=LIMIT,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        sep_token="</s>",
        cls_token="<s>",
        unk_token="<unk>",
        mask_token="<mask>",
    )
