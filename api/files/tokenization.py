"""What a base model's tokenizer makes of texts, without torch or transformers: its
``tokenizer.json``, read by the library that both use.

The trainer truncates as this does: of a pair, the longer text first.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from shared.domain.errors import ModelNotAllowed

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_CACHED_TOKENIZERS = 4
"""Tokenizers in memory; one of a large vocabulary is some 100 MB."""

_tokenizer_lock = Lock()  # how much to truncate is set on the tokenizer itself


@dataclass(frozen=True)
class TokenizedText:
    tokens: list[str]
    """With the special tokens, after truncation."""
    input_ids: list[int]
    num_tokens: int
    """Before truncation."""

    @property
    def is_truncated(self) -> bool:
        return self.num_tokens > len(self.input_ids)


def tokenize_texts(
    base_model: Path, texts: list[tuple[str, str | None]], max_seq_length: int
) -> list[TokenizedText]:
    """Each text, or text and second text, as the network sees it. Raises ModelNotAllowed where
    the tokenizer cannot be read.
    """
    file = base_model / "tokenizer.json"
    if not file.is_file():
        raise ModelNotAllowed(f"{base_model.name} has no tokenizer.json.", param="model")
    with _tokenizer_lock:
        tokenizer = _load_tokenizer(file, file.stat().st_mtime_ns)
        return [_tokenize_text(tokenizer, text, pair, max_seq_length) for text, pair in texts]


def _tokenize_text(
    tokenizer: "Tokenizer", text: str, pair: str | None, max_seq_length: int
) -> TokenizedText:
    tokenizer.no_truncation()
    whole = tokenizer.encode(text, pair)
    if len(whole.ids) <= max_seq_length:
        return TokenizedText(whole.tokens, whole.ids, len(whole.ids))
    tokenizer.enable_truncation(max_seq_length, strategy="longest_first")
    cut = tokenizer.encode(text, pair)
    return TokenizedText(cut.tokens, cut.ids, len(whole.ids))


@lru_cache(maxsize=MAX_CACHED_TOKENIZERS)
def _load_tokenizer(file: Path, _modified_ns: int) -> "Tokenizer":
    from tokenizers import Tokenizer  # costs every other request's process 10 MB

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as problem:  # noqa: BLE001 (the library raises nothing narrower)
        raise ModelNotAllowed(
            f"The tokenizer.json of {file.parent.name} cannot be read: {problem}", param="model"
        ) from None
    tokenizer.no_padding()
    return tokenizer
