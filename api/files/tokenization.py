"""What a base model's tokenizer makes of texts, without torch or transformers: its ``tokenizer.json``, read by the library that both use.

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

KEPT = 4
"""Tokenizers in memory; one of a large vocabulary is some 100 MB."""

_one_at_a_time = Lock()  # how much to truncate is set on the tokenizer itself


@dataclass(frozen=True)
class Tokenised:
    tokens: list[str]
    """With the special tokens, after truncation."""
    input_ids: list[int]
    num_tokens: int
    """Before truncation."""

    @property
    def truncated(self) -> bool:
        return self.num_tokens > len(self.input_ids)


def tokenise(
    base_model: Path, texts: list[tuple[str, str | None]], max_seq_length: int
) -> list[Tokenised]:
    """Each text, or text and second text, as the network sees it. Raises ModelNotAllowed where the tokenizer cannot be read."""
    file = base_model / "tokenizer.json"
    if not file.is_file():
        raise ModelNotAllowed(f"{base_model.name} has no tokenizer.json.", param="model")
    with _one_at_a_time:
        tokenizer = _tokenizer(file, file.stat().st_mtime_ns)
        return [_tokenised(tokenizer, text, pair, max_seq_length) for text, pair in texts]


def _tokenised(
    tokenizer: "Tokenizer", text: str, pair: str | None, max_seq_length: int
) -> Tokenised:
    tokenizer.no_truncation()
    whole = tokenizer.encode(text, pair)
    if len(whole.ids) <= max_seq_length:
        return Tokenised(whole.tokens, whole.ids, len(whole.ids))
    tokenizer.enable_truncation(max_seq_length, strategy="longest_first")
    cut = tokenizer.encode(text, pair)
    return Tokenised(cut.tokens, cut.ids, len(whole.ids))


@lru_cache(maxsize=KEPT)
def _tokenizer(file: Path, _changed: int) -> "Tokenizer":
    from tokenizers import Tokenizer  # costs every other request's process 10 MB

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as problem:  # noqa: BLE001 (the library raises nothing narrower)
        raise ModelNotAllowed(
            f"The tokenizer.json of {file.parent.name} cannot be read: {problem}", param="model"
        ) from None
    tokenizer.no_padding()
    return tokenizer
