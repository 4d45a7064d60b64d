"""Tokenizers that are missing, damaged, code, or too large for the embeddings are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from shared.encoders.validation import check_model_folder
from shared.encoders.validation.tokenizer_settings import PYTHON_TOKENIZERS
from tests.encoders.small_folders import TOKENIZER, build_config, write_model
from tests.shared.encoders.unfit import assert_refused


def change_model(**changes: Any) -> str:
    return json.dumps(TOKENIZER | {"model": TOKENIZER["model"] | changes})


TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ],
    "pair": [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ],
    "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [9], "tokens": ["[CLS]"]}},
}
FILES: dict[str, tuple[dict[str, str | None], str]] = {
    "none": ({"tokenizer.json": None}, "has no tokenizer.json"),
    "cut": ({"tokenizer.json": json.dumps(TOKENIZER)[:40]}, "tokenizer.json is damaged"),
    "no-vocabulary": ({"tokenizer.json": '{"model": {"type": "WordLevel"}}'}, "is damaged"),
    "empty-vocabulary": ({"tokenizer.json": change_model(vocab={})}, "has no vocabulary"),
    "charsmap": (
        {
            "tokenizer.json": json.dumps(
                TOKENIZER
                | {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAAAAAA"}}
            )
        },
        "tokenizer.json is damaged",
    ),
    "settings-cut": ({"tokenizer_config.json": '{"a'}, "tokenizer_config.json is damaged"),
    "settings-list": ({"special_tokens_map.json": "[]"}, "special_tokens_map.json is damaged"),
    "code": (
        {"tokenizer_config.json": '{"auto_map": {"AutoTokenizer": ["x.Y", null]}}'},
        r"has a tokenizer that needs code from its own repository \(auto_map\)",
    ),
    "python": (
        {"tokenizer_config.json": '{"tokenizer_class": "BertJapaneseTokenizer"}'},
        r"tokenizer \(BertJapaneseTokenizer\) that exists only in Python",
    ),
    "class": ({"tokenizer_config.json": '{"tokenizer_class": 1}'}, "tokenizer_class is no name"),
    "larger": (
        {"tokenizer.json": change_model(vocab={"[PAD]": 0, "[UNK]": 1, "a": 8})},
        "its tokenizer has 9 tokens and its embeddings only 8. Resize",
    ),
    "added-larger": ({"added_tokens.json": '{"<new>": 8}'}, "has 9 tokens and its embeddings"),
    "declared-larger": (
        {"tokenizer_config.json": '{"added_tokens_decoder": {"8": {"content": "<new>"}}}'},
        "has 9 tokens and its embeddings",
    ),
    "declared-badly": (
        {"tokenizer_config.json": '{"added_tokens_decoder": {"x": {"content": "<new>"}}}'},
        "added_tokens_decoder",
    ),
    "added-badly": ({"added_tokens.json": '{"<new>": "8"}'}, "id of an added token"),
    "template": (
        {"tokenizer.json": json.dumps(TOKENIZER | {"post_processor": TEMPLATE})},
        "has 10 tokens and its embeddings only 8",
    ),
    "words-only": ({"tokenizer.json": None, "vocab.txt": ""}, "vocab.txt is damaged"),
    "words-larger": (
        {"tokenizer.json": None, "vocab.txt": "a\n" * 9},
        "has 9 tokens and its embeddings",
    ),
    "words-bytes": ({"tokenizer.json": None, "vocab.txt": "\udcff\n"}, "it is not UTF-8"),
    "no-merges": ({"tokenizer.json": None, "vocab.json": '{"a": 0}'}, "without merges.txt"),
    "merges-badly": ({"tokenizer.json": None, "vocab.json": '{"a": "b"}'}, "not tokens to ids"),
    "pieces": ({"tokenizer.json": None, "spm.model": "no model"}, "spm.model is damaged"),
    "no-pieces": ({"tokenizer.json": None, "spiece.model": ""}, "spiece.model is damaged"),
}


@pytest.mark.parametrize("name", FILES)
def test_an_unfit_tokenizer_is_refused(tmp_path: Path, name: str) -> None:
    files, reason = FILES[name]
    folder = write_model(tmp_path / name)
    for file, content in files.items():
        if content is None:
            (folder / file).unlink()
        else:
            (folder / file).write_bytes(content.encode(errors="surrogateescape"))
    assert_refused(folder, reason)


def test_a_tokenizer_without_padding_token_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "it")
    (folder / "tokenizer.json").write_text(change_model(vocab={"[UNK]": 1, "a": 2}))
    assert_refused(folder, "without a padding token")
    (folder / "tokenizer_config.json").write_text('{"pad_token": {"content": "a"}}')
    assert check_model_folder(folder).config.pad_token_id == 0


def test_the_padding_id_of_the_config_names_the_padding_token(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "it", build_config(pad_token_id=2))
    (folder / "tokenizer.json").write_text(change_model(vocab={"[UNK]": 1, "a": 2}))
    assert check_model_folder(folder).config.pad_token_id == 2


def test_a_vocabulary_replaces_the_tokenizer_file(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "it")
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\na\n")
    check_model_folder(folder)


def test_every_python_tokenizer_of_transformers_is_known() -> None:
    """The list is a copy, so that the API needs no transformers; new classes must be added."""
    found = {
        name
        for name, tokenizer in vars(transformers).items()
        if isinstance(tokenizer, type)
        and issubclass(tokenizer, PreTrainedTokenizerBase)
        and not issubclass(tokenizer, PreTrainedTokenizerFast)
        and tokenizer.__module__.startswith("transformers.models.")
    }
    assert found - PYTHON_TOKENIZERS - {"RagTokenizer"} == set()
