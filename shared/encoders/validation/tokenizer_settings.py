"""The JSON files beside a tokenizer: its class, its special tokens, and tokens added to it."""

from pathlib import Path
from typing import Any, NamedTuple

from shared.encoders.validation.errors import UnfitModel, refuse_damaged
from shared.encoders.validation.json_files import read_json_object

SETTINGS_FILES = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
# fmt: off
PYTHON_TOKENIZERS = frozenset([
    "BartphoTokenizer", "BertGenerationTokenizer", "BertJapaneseTokenizer",
    "BertTokenizerLegacy", "BertweetTokenizer", "BioGptTokenizer", "BlenderbotSmallTokenizer",
    "ByT5Tokenizer", "CanineTokenizer", "ClvpTokenizer", "CpmAntTokenizer", "CpmTokenizer",
    "CTRLTokenizer", "DiaTokenizer", "EsmTokenizer", "FastSpeech2ConformerTokenizer",
    "FlaubertTokenizer", "FSMTTokenizer", "GPTNeoXJapaneseTokenizer", "GPTSw3Tokenizer",
    "M2M100Tokenizer", "MarianTokenizer", "MgpstrTokenizer", "MyT5Tokenizer",
    "PerceiverTokenizer", "PhobertTokenizer", "PLBartTokenizer", "Pop2PianoTokenizer",
    "ProphetNetTokenizer", "RoCBertTokenizer", "SiglipTokenizer", "Speech2TextTokenizer",
    "SpeechT5Tokenizer", "TapasTokenizer", "VitsTokenizer", "Wav2Vec2CTCTokenizer",
    "Wav2Vec2PhonemeCTCTokenizer", "XLMTokenizer",
])
# fmt: on
"""Tokenizers of transformers that are written in Python and have no tokenizer.json."""


class AddedTokens(NamedTuple):
    """Tokens that the settings add to the vocabulary, and what they say of padding."""

    ids: dict[str, int]
    """Ids by token."""
    pad_token: str | None


def read_tokenizer_settings(folder: Path) -> AddedTokens:
    """Read the settings files that the folder has.

    Raises UnfitModel for damaged ones and for tokenizers that need code, and OSError.
    """
    found = {
        name: read_json_object(folder / name) for name in SETTINGS_FILES if (folder / name).exists()
    }
    settings = found.get("tokenizer_config.json", {})
    _refuse_code(settings)
    ids = _read_added_ids(found.get("added_tokens.json", {}), "added_tokens.json")
    ids |= _read_declared_ids(settings.get("added_tokens_decoder", {}))
    pad = settings.get("pad_token", found.get("special_tokens_map.json", {}).get("pad_token"))
    return AddedTokens(ids, _read_token(pad))


def _refuse_code(settings: dict[str, Any]) -> None:
    if settings.get("auto_map"):
        raise UnfitModel(
            "has a tokenizer that needs code from its own repository (auto_map), which the "
            "service never runs. Choose another base model."
        )
    name = settings.get("tokenizer_class")
    if not isinstance(name, str | None):
        raise refuse_damaged("tokenizer_config.json", "tokenizer_class is no name")
    if name in PYTHON_TOKENIZERS:
        raise UnfitModel(
            f"has a tokenizer ({name}) that exists only in Python. Choose a base model with a "
            "tokenizer.json of its own."
        )


def _read_declared_ids(decoder: object) -> dict[str, int]:
    """Return the ids by token of ``added_tokens_decoder``, which has tokens by id."""
    if not isinstance(decoder, dict):
        raise refuse_damaged("tokenizer_config.json", "added_tokens_decoder is no object")
    tokens = {_read_token(token): key for key, token in decoder.items()}
    if None in tokens or not all(key.isascii() and key.isdigit() for key in decoder):
        raise refuse_damaged("tokenizer_config.json", "added_tokens_decoder is not ids to tokens")
    return _read_added_ids(
        {str(token): int(key[:18]) for token, key in tokens.items()}, "tokenizer_config.json"
    )


def _read_added_ids(tokens: dict[str, Any], file_name: str) -> dict[str, int]:
    if not all(type(number) is int and number >= 0 for number in tokens.values()):
        raise refuse_damaged(file_name, "the id of an added token is no whole number")
    return tokens


def _read_token(token: object) -> str | None:
    """Return a token that is stated as text or as an object with ``content``."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None
