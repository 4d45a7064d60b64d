"""Tokenization of texts with a base model's ``tokenizer.json``, without torch or transformers.

The tokenizers library is the one that the trainer uses, and truncation is the same: of a pair, the
longer text is truncated first.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from shared.domain.errors import ModelNotAllowed
from shared.encoders.tokenizer_panics import TokenizerFailed, catch_panics

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_CACHED_TOKENIZERS = 4  # one with a large vocabulary takes about 100 MB

COUNTED_TEXTS = 16
"""Texts encoded at once for their number of tokens; of the longest, that takes 200 MB."""

_tokenizer_lock = Lock()  # truncation is a setting of the shared tokenizer object


@dataclass(frozen=True)
class TokenizedText:
    tokens: list[str]
    """Tokens after truncation, special tokens included."""
    input_ids: list[int]
    num_tokens: int
    """Number of tokens before truncation."""

    @property
    def is_truncated(self) -> bool:
        return self.num_tokens > len(self.input_ids)


def tokenize_texts(
    base_model: Path, texts: list[tuple[str, str | None]], max_seq_length: int
) -> list[TokenizedText]:
    """Tokenize texts or pairs of texts. Raises ModelNotAllowed for an unreadable tokenizer."""
    file = get_tokenizer_file(base_model)
    if not file.is_file():
        raise ModelNotAllowed(
            f"The folder of {base_model.name} has no tokenizer.json; copy the model again.",
            param="model",
        )
    with _tokenizer_lock, _refuse_failures(base_model):
        tokenizer = _load_tokenizer(file, file.stat().st_mtime_ns)
        return [_tokenize_text(tokenizer, text, pair, max_seq_length) for text, pair in texts]


def get_tokenizer_file(base_model: Path) -> Path:
    """Return where the tokenizer is, if the folder has one that needs no transformers."""
    return base_model / "tokenizer.json"


def count_tokens(
    base_model: Path, texts: Sequence[str], second_texts: Sequence[str] | None
) -> list[int]:
    """Count the tokens of each text or pair before truncation, special tokens included.

    The folder has a tokenizer.json. Raises ModelNotAllowed if that is unreadable.
    """
    file = get_tokenizer_file(base_model)
    inputs = texts if second_texts is None else list(zip(texts, second_texts, strict=True))
    with _tokenizer_lock, _refuse_failures(base_model):
        tokenizer = _load_tokenizer(file, file.stat().st_mtime_ns)
        tokenizer.no_truncation()
        return [
            len(encoding)
            for start in range(0, len(inputs), COUNTED_TEXTS)
            for encoding in tokenizer.encode_batch_fast(inputs[start : start + COUNTED_TEXTS])
        ]


@contextmanager
def _refuse_failures(base_model: Path) -> Iterator[None]:
    """Raise ModelNotAllowed where the tokenizer cannot be read, or fails on a text."""
    try:
        with catch_panics():
            yield
    except TokenizerFailed as problem:
        raise ModelNotAllowed(
            f"The tokenizer.json of {base_model.name} cannot be read, or fails on a text "
            f"({problem}). Copy the model again, or choose another one.",
            param="model",
        ) from None


def _tokenize_text(
    tokenizer: "Tokenizer", text: str, pair: str | None, max_seq_length: int
) -> TokenizedText:
    tokenizer.no_truncation()
    whole = tokenizer.encode(text, pair)
    if len(whole.ids) <= max_seq_length:
        return TokenizedText(whole.tokens, whole.ids, len(whole.ids))
    tokenizer.enable_truncation(max_seq_length, strategy="longest_first")
    truncated = tokenizer.encode(text, pair)
    return TokenizedText(truncated.tokens, truncated.ids, len(whole.ids))


@lru_cache(maxsize=MAX_CACHED_TOKENIZERS)
def _load_tokenizer(file: Path, _modified_ns: int) -> "Tokenizer":
    from tokenizers import Tokenizer  # imported here: it takes 10 MB of every API process

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    return tokenizer
