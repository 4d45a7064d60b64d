"""What careless copying leaves of a model: pointers, pages, other encodings, wrapped names."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.encoders.validation import check_model_folder
from tests.encoders.small_folders import (
    TOKENIZER,
    build_config,
    build_safetensors,
    list_tensors,
    write_model,
)
from tests.shared.encoders.unfit import assert_refused

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 90\n"
PAGE = b"<!doctype html><html><body>Sign in to continue</body></html>"


def wrap(prefix: str) -> bytes:
    tensors = list_tensors(build_config())
    return build_safetensors({f"{prefix}{name}": tensor for name, tensor in tensors.items()})


def build_tokenizer(**model: object) -> bytes:
    return json.dumps(TOKENIZER | {"model": model}).encode()


FILES: dict[str, tuple[str, bytes, str]] = {
    "pointer-weights": ("model.safetensors", POINTER, "Git LFS pointer in the place of model.saf"),
    "pointer-tokenizer": ("tokenizer.json", POINTER, "pointer in the place of tokenizer.json"),
    "page-weights": ("model.safetensors", PAGE, "model.safetensors is damaged"),
    "page-config": ("config.json", PAGE, "config.json is damaged"),
    "archive": ("model.safetensors", b"PK\x03\x04" + bytes(99), "model.safetensors is damaged"),
    "two-bytes": (
        "tokenizer.json",
        json.dumps(TOKENIZER).encode("utf-16"),
        "tokenizer.json is damaged",
    ),
    "compiled": ("model.safetensors", wrap("_orig_mod.bert."), "under the prefix '_orig_mod.bert"),
    "parallel": ("model.safetensors", wrap("module.bert."), "prefix 'module.bert.'"),
    "lightning": ("model.safetensors", wrap("model.encoder.bert."), "prefix 'model.encoder.bert"),
    "other-family": ("model.safetensors", wrap("roberta."), "under the prefix 'roberta.'"),
    "two-configs": (
        "config.json",
        json.dumps(build_config())[:-1].encode() + b', "hidden_size": 64}',
        "contradict its config.json",
    ),
    "nested-config": (
        "config.json",
        json.dumps({"model_type": "bert", "text_config": build_config()}).encode(),
        "vocab_size is missing",
    ),
    "family-in-capitals": (
        "config.json",
        json.dumps(build_config() | {"model_type": "BERT"}).encode(),
        "belongs to the family 'BERT', which is not supported",
    ),
    "pieces-without-unknown": (
        "tokenizer.json",
        build_tokenizer(type="Unigram", vocab=[["[PAD]", 0.0], ["a", 0.0]], unk_id=None),
        "tokenizer.json is damaged",
    ),
    "words-without-unknown": (
        "tokenizer.json",
        build_tokenizer(type="WordLevel", vocab={"[PAD]": 0, "a": 1}, unk_token="[UNK]"),
        "tokenizer.json is damaged",
    ),
    "merges-of-unknown": (
        "tokenizer.json",
        build_tokenizer(type="BPE", vocab={"a": 0, "[PAD]": 1}, merges=[["x", "y"]]),
        "tokenizer.json is damaged",
    ),
    "negative-id": (
        "tokenizer.json",
        build_tokenizer(type="WordLevel", vocab={"[PAD]": -1, "a": 1}, unk_token="a"),
        "tokenizer.json is damaged",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_bad_copy_is_refused(kind: str, tmp_path: Path) -> None:
    name, content, reason = FILES[kind]
    folder = write_model(tmp_path / "it")
    (folder / name).write_bytes(content)
    assert_refused(folder, reason)


def write_lines(ending: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "tokenizer.json").unlink()
        (folder / "vocab.txt").write_bytes(ending.join(["[PAD]", "[UNK]", "a", ""]).encode())

    return write


GOOD: dict[str, Callable[[Path], None]] = {
    "own-prefix": lambda folder: _write(folder / "model.safetensors", wrap("bert.")),
    "windows-lines": write_lines("\r\n"),
    "pointer-readme": lambda folder: _write(folder / "notes.txt", b"not a pointer: " + POINTER),
}


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


@pytest.mark.parametrize("kind", GOOD)
def test_a_harmless_difference_is_accepted(kind: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "it")
    GOOD[kind](folder)
    assert check_model_folder(folder).family.model_type == "bert"
