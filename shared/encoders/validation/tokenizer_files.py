"""Checks of a tokenizer: its files can be read, and every id has an embedding.

A folder has a tokenizer.json, or a vocabulary that the trainer builds one from.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from shared.encoders.tokenizer_panics import TokenizerFailed, catch_panics
from shared.encoders.validation.errors import UnfitModel, refuse_damaged
from shared.encoders.validation.json_files import read_json_object
from shared.encoders.validation.tokenizer_settings import (
    SETTINGS_FILES,
    AddedTokens,
    read_tokenizer_settings,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_Result = TypeVar("_Result")

TOKENIZER_FILE = "tokenizer.json"
SENTENCEPIECE_FILES = ("spm.model", "spiece.model", "sentencepiece.bpe.model")
VOCABULARY_FILES = ("vocab.txt", "vocab.json", *SENTENCEPIECE_FILES)
"""Files that transformers can build the families' tokenizers from."""
TOKENIZER_FILES = (TOKENIZER_FILE, "merges.txt", *VOCABULARY_FILES, *SETTINGS_FILES)
MAX_TOKENIZER_BYTES = 128 * 1024**2
"""Largest file of a tokenizer; XLM-R's, with 250,000 tokens, has 17 MB."""
PADDING_TOKENS = ("[PAD]", "<pad>")
"""Names of the padding token, looked for where no setting names one."""
_PROBE = "A small text, to see which ids it gets: 1 + 1 = 2."
_RUN_LENGTH = 200
_SLOW_PROBES = (
    *("a", "A", "1", " ", "\n", ".", "-", "_", "/", "é", "の", "\u200b", "🙂", "aA", "a1", "a "),
    *("a.", "1.", "a-", "'a", "ab", "<s>"),
)
"""Repeated, each is a text on which a regular expression that backtracks takes longest."""
MAX_PROBE_SECONDS = 2.0
"""Processor time for all of them together, about 6,000 characters: a thousand times the usual."""
MAX_TOKENS_PER_CHARACTER = 32
"""Bytes and decompositions give at most 18."""


def check_tokenizer(folder: Path, embeddings: int, pad_token_id: int | None) -> None:
    """Check that the folder has a tokenizer for ``embeddings`` rows.

    ``pad_token_id`` is that of config.json. Raises UnfitModel, and OSError.
    """
    added = read_tokenizer_settings(folder)
    for name in TOKENIZER_FILES:
        _check_size(folder / name)
    if (folder / TOKENIZER_FILE).exists():
        _check_tokenizer_file(folder, added, embeddings, pad_token_id)
    else:
        _check_vocabulary_files(folder, added, embeddings)


def _check_size(file: Path) -> None:
    if file.exists() and file.stat().st_size > MAX_TOKENIZER_BYTES:
        raise UnfitModel(
            f"has a {file.name} of more than {MAX_TOKENIZER_BYTES // 1024**2} MB. Copy the file "
            "from the original model."
        )


def _check_tokenizer_file(
    folder: Path, added: AddedTokens, embeddings: int, pad_token_id: int | None
) -> None:
    tokenizer = load_tokenizer_file(folder / TOKENIZER_FILE)
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    if not vocabulary:
        raise refuse_damaged(TOKENIZER_FILE, "it has no vocabulary")
    _check_ids([*vocabulary.values(), *added.ids.values()], embeddings)
    _check_padding(vocabulary | added.ids, added.pad_token, pad_token_id)
    _check_probe(tokenizer, embeddings)


def load_tokenizer_file(file: Path) -> "Tokenizer":
    """Return the tokenizer of a tokenizer.json. Raises UnfitModel if it is damaged, and OSError."""
    from tokenizers import Tokenizer  # imported here: it takes 10 MB of every process

    content = file.read_bytes()
    return _call_library(lambda: Tokenizer.from_buffer(content))


def _call_library(function: Callable[[], _Result]) -> _Result:
    """Call the tokenizers library. Raises UnfitModel for whatever it raises."""
    try:
        with catch_panics():
            return function()
    except TokenizerFailed as problem:
        raise refuse_damaged(TOKENIZER_FILE, str(problem)) from None


def _check_ids(ids: Iterable[int], embeddings: int) -> None:
    count = max(ids, default=-1) + 1
    if count > embeddings:
        raise UnfitModel(
            f"cannot be used because its tokenizer has {count:,} tokens and its embeddings only "
            f"{embeddings:,}. Resize the embeddings (model.resize_token_embeddings) and save "
            "both, or copy both from the same model."
        )


def _check_padding(
    vocabulary: dict[str, int], pad_token: str | None, pad_token_id: int | None
) -> None:
    """Raise UnfitModel if no token can pad; the trainer chooses by the same rule."""
    if pad_token is None and not (
        any(token in vocabulary for token in PADDING_TOKENS) or pad_token_id in vocabulary.values()
    ):
        raise UnfitModel(
            "has a tokenizer without a padding token. Name one of its tokens as pad_token in "
            "tokenizer_config.json."
        )


def _check_probe(tokenizer: "Tokenizer", embeddings: int) -> None:
    """Tokenize a pair, because a template of special tokens may have ids of its own, and texts that
    show what the tokenizer costs.
    """
    encoded = _call_library(lambda: tokenizer.encode(_PROBE, _PROBE))
    _check_ids(encoded.ids, embeddings)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    start = time.process_time()
    for part in _SLOW_PROBES:
        for text in (part * _RUN_LENGTH, f"{part * _RUN_LENGTH}!"):
            ids = _call_library(partial(tokenizer.encode, text)).ids
            _check_ids(ids, embeddings)
            is_slow = time.process_time() - start > MAX_PROBE_SECONDS
            if is_slow or len(ids) > MAX_TOKENS_PER_CHARACTER * len(text):
                raise refuse_costly()


def refuse_costly() -> UnfitModel:
    """Build the refusal of a tokenizer that takes too long or too much memory."""
    return UnfitModel(
        "has a tokenizer that takes too much time or memory for a small text, or to be read. Copy "
        "the tokenizer of the original model, or choose another base model."
    )


def _check_vocabulary_files(folder: Path, added: AddedTokens, embeddings: int) -> None:
    found = [name for name in VOCABULARY_FILES if (folder / name).exists()]
    if not found:
        raise UnfitModel(
            f"has no {TOKENIZER_FILE}. Copy its folder again, or save the tokenizer with "
            "save_pretrained."
        )
    count = _count_tokens(folder / found[0])
    if count == 0:
        raise refuse_damaged(found[0], "it has no tokens")
    _check_ids([count - 1, *added.ids.values()], embeddings)


def _count_tokens(file: Path) -> int:
    """Return one more than the largest id in a vocabulary file. Raises UnfitModel and OSError."""
    if file.name in SENTENCEPIECE_FILES:
        return _count_pieces(file)
    if file.suffix == ".json":
        return _count_merged_tokens(file)
    try:
        return len(file.read_bytes().decode("utf-8").split("\n")[:-1])
    except UnicodeDecodeError:
        raise refuse_damaged(file.name, "it is not UTF-8") from None


def _count_pieces(file: Path) -> int:
    from sentencepiece import SentencePieceProcessor  # imported here: few folders need it

    content = file.read_bytes()
    processor = SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(content)
    except (RuntimeError, OSError):
        raise refuse_damaged(file.name) from None
    return int(processor.GetPieceSize())


def _count_merged_tokens(file: Path) -> int:
    ids = read_json_object(file, MAX_TOKENIZER_BYTES).values()
    if not all(type(number) is int and number >= 0 for number in ids):
        raise refuse_damaged(file.name, "it is not tokens to ids")
    if not file.with_name("merges.txt").exists():
        raise UnfitModel("has a vocab.json without merges.txt. Copy both from the same model.")
    return max(ids, default=-1) + 1
