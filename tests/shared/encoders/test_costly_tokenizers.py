"""Tokenizers that take any time and memory are refused in words, and cost this process nothing."""

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.domain.errors import ModelNotAllowed
from shared.encoders.validation import check_model_folder
from tests.encoders.small_folders import TOKENIZER, build_config, write_model
from tests.shared.encoders.unfit import assert_refused

MAX_SECONDS = 90.0
"""Several times the processor time that a check may take, for a busy machine."""
MAX_GROWTH_BYTES = 200 * 1024**2
COSTLY = "takes too much time or memory"


def write_tokenizer(**changes: Any) -> Callable[[Path], object]:
    return lambda folder: (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER | changes))


def split_by(pattern: str) -> Callable[[Path], object]:
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated"}
    return write_tokenizer(pre_tokenizer=split | {"invert": False})


def write_large_vocabulary(folder: Path) -> None:
    entries = ",".join(f'"t{number}":{number}' for number in range(1_500_000))
    content = json.dumps(TOKENIZER | {"model": TOKENIZER["model"] | {"vocab": {}}})
    (folder / "tokenizer.json").write_text(content.replace('"vocab": {}', f'"vocab":{{{entries}}}'))


def write_merges(folder: Path) -> None:
    model = {"type": "BPE", "vocab": {"a": 0, "[PAD]": 1, "[UNK]": 2}}
    merges = ["a a"] * 3_000_000
    content = json.dumps(TOKENIZER | {"model": model | {"merges": merges}})
    (folder / "tokenizer.json").write_text(content)


def replace_tokenizer(name: str, content: bytes) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        (folder / "tokenizer.json").unlink()
        (folder / name).write_bytes(content)

    return write


GROWTH = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 1000}
KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "deep-json": (
        lambda folder: (folder / "tokenizer.json").write_text("[" * 10**7),
        "tokenizer.json is damaged",
    ),
    "growing-text": (
        write_tokenizer(normalizer={"type": "Sequence", "normalizers": [GROWTH] * 4}),
        COSTLY,
    ),
    "backtracking": (split_by("(a+)+$"), "retry-limit|takes too much"),
    "backtracking-on-blanks": (split_by(r"( +)+\n\n"), "retry-limit|takes too much"),
    "large-regex": (split_by("(?:(?:a{1,90000}){1,90000}){1,90000}b"), "damaged|takes too much"),
    "large-vocabulary": (write_large_vocabulary, f"1,500,000 tokens|{COSTLY}"),
    "merges": (write_merges, f"damaged|{COSTLY}"),
    "lines": (replace_tokenizer("vocab.txt", b"\n" * 60_000_000), f"tokens and its emb|{COSTLY}"),
    "sentencepiece-lengths": (
        replace_tokenizer("spm.model", b"\x0a\xff\xff\xff\xff\x07" + b"\x0a" * 1000),
        "spm.model is damaged",
    ),
    "added-tokens": (
        write_tokenizer(
            added_tokens=[
                {
                    **{"id": number, "content": f"t{number}", "special": True},
                    **{"single_word": False, "lstrip": False, "rstrip": False},
                    "normalized": False,
                }
                for number in range(100_000)
            ]
        ),
        f"100,003 tokens|{COSTLY}",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_costly_tokenizer_is_refused_and_costs_this_process_nothing(
    kind: str, tmp_path: Path
) -> None:
    write, reason = KINDS[kind]
    folder = tmp_path / "model"
    write_model(folder, build_config("bert"))
    write(folder)
    before, start = read_own_memory(), time.monotonic()
    assert_refused(folder, reason)
    assert time.monotonic() - start < MAX_SECONDS
    assert read_own_memory() - before < MAX_GROWTH_BYTES


def test_a_check_that_cannot_be_started_refuses_nothing_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    write_model(folder, build_config("bert"))
    with monkeypatch.context() as patched:
        patched.setattr("sys.executable", "/bin/false")
        with pytest.raises(ModelNotAllowed, match="could not be checked"):
            check_model_folder(folder)
    assert check_model_folder(folder).family.model_type == "bert"


def read_own_memory() -> int:
    """Return the peak of this process's resident memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
