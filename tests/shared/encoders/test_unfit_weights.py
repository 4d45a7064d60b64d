"""Weights that are missing, damaged, in another format or of another model are refused in words."""

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.encoders.validation import check_model_folder
from tests.encoders.small_folders import (
    build_config,
    build_safetensors,
    join_safetensors,
    list_tensors,
    write_model,
)
from tests.shared.encoders.unfit import assert_refused

GOOD = list_tensors(build_config())
WORDS = "embeddings.word_embeddings.weight"
QUERY = "encoder.layer.0.attention.self.query.weight"
WHOLE = build_safetensors(GOOD)


def describe(dtype: str, shape: list[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "cut short"),
    "header-cut": (WHOLE[:20], "cut short"),
    "cut": (WHOLE[:-1], "cut short"),
    "longer": (WHOLE + b"xy", "2 bytes follow its last tensor"),
    "header-huge": ((2**40).to_bytes(8, "little") + WHOLE[8:], "claims 1,099,511,627,776 bytes"),
    "header-null": (join_safetensors(b"null", b""), "header cannot be read"),
    "header-no-json": (join_safetensors(b"{", b""), "header cannot be read"),
    "no-tensors": (join_safetensors({}, b""), "contains no tensors"),
    "a-text": (join_safetensors({"w": {"a": "b"}}, b""), "does not describe w"),
    "overlap": (
        join_safetensors(
            {"v": describe("F32", [2], 0, 8), "w": describe("F32", [2], 4, 12)}, bytes(12)
        ),
        "w overlaps another tensor",
    ),
    "gap": (join_safetensors({"w": describe("F32", [2], 4, 12)}, bytes(12)), "w follows a gap"),
    "shape": (
        join_safetensors({"w": describe("F32", [3], 0, 8)}, bytes(8)),
        "w has 8 bytes, which its shape contradicts",
    ),
    "negative": (
        join_safetensors({"w": describe("F32", [-2], 0, 8)}, bytes(8)),
        "header cannot be read",
    ),
    "overflow": (
        join_safetensors({"w": describe("F32", [2**47, 2**47], 0, 8)}, bytes(8)),
        "w has 8 bytes, which its shape contradicts",
    ),
    "unknown-type": (
        join_safetensors({"w": describe("F31", [2], 0, 8)}, bytes(8)),
        "unknown type 'F31'",
    ),
    "int8": (build_safetensors({**GOOD, QUERY: ("I8", [32, 32])}), r"quantized \(.*type I8\)"),
    "float8": (build_safetensors({**GOOD, QUERY: ("F8_E4M3", [32, 32])}), "type F8_E4M3"),
    "gptq": (build_safetensors({**GOOD, "x.qweight": ("I32", [4, 32])}), "type I32"),
    "other-width": (
        build_safetensors({**GOOD, QUERY: ("F32", [64, 64])}),
        "query.weight is 64 × 64, but the width makes it 32 × 32",
    ),
    "other-vocabulary": (
        build_safetensors({**GOOD, WORDS: ("F32", [9, 32])}),
        "word_embeddings.weight is 9 × 32, but vocab_size",
    ),
    "no-words": (
        build_safetensors({name: GOOD[name] for name in GOOD if name != WORDS}),
        "has no word embeddings of a bert",
    ),
    "few-layers": (
        build_safetensors({name: GOOD[name] for name in GOOD if "layer.1." not in name}),
        "1 of 2 blocks are missing, the first of them block 1",
    ),
}
OTHER_FORMATS: dict[str, tuple[list[str], str]] = {
    "nothing": ([], "has no model.safetensors. Save"),
    "trainer-state": (["training_args.bin", "optimizer.pt"], "has no model.safetensors. Save"),
    "pickle": (["pytorch_model.bin"], r"only as a pickle \(pytorch_model.bin\)"),
    "pickle-shards": (
        ["pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"],
        "only as a pickle",
    ),
    "checkpoint": (["bert_model.ckpt"], "only as a pickle"),
    "tensorflow": (["tf_model.h5"], "only for TensorFlow"),
    "flax": (["flax_model.msgpack"], "only for Flax"),
    "onnx-and-rust": (["model.onnx", "rust_model.ot"], "only for ONNX and Rust"),
    "gguf": (["model.Q4_0.gguf"], "only for GGUF"),
    "variant": (["model.fp16.safetensors"], "but model.fp16.safetensors. Rename"),
    "adapter": (["adapter_model.safetensors", "adapter_config.json"], "is an adapter"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_or_foreign_file_is_refused(tmp_path: Path, name: str) -> None:
    content, reason = FILES[name]
    folder = write_model(tmp_path / name)
    (folder / "model.safetensors").write_bytes(content)
    assert_refused(folder, reason)


@pytest.mark.parametrize("name", OTHER_FORMATS)
def test_other_formats_are_named(tmp_path: Path, name: str) -> None:
    files, reason = OTHER_FORMATS[name]
    folder = write_model(tmp_path / name)
    (folder / "model.safetensors").unlink()
    for file in files:
        (folder / file).write_bytes(b"")
    assert_refused(folder, reason)


def test_an_adapter_without_config_is_named(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "adapter_config.json").write_text("{}")
    assert_refused(tmp_path / "it", "is an adapter")


def write_shards(folder: Path, weight_map: object) -> Path:
    """Write a model whose weights lie in two files."""
    write_model(folder)
    (folder / "model.safetensors").unlink()
    names = sorted(GOOD)
    for file, part in (("one.safetensors", names[:1]), ("two.safetensors", names[1:])):
        content = build_safetensors({name: GOOD[name] for name in part})
        (folder / file).write_bytes(content)
    index = json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(index)
    return folder


def build_map() -> dict[str, str]:
    names = sorted(GOOD)
    return {name: "one.safetensors" if name == names[0] else "two.safetensors" for name in names}


def test_weights_in_several_files_are_counted_together(tmp_path: Path) -> None:
    whole = check_model_folder(write_model(tmp_path / "whole"))
    parts = check_model_folder(write_shards(tmp_path / "parts", build_map()))
    assert parts.num_parameters == whole.num_parameters == 8 * 32 + 64 * 32 + 2 * 32 * 32


INDEXES: dict[str, tuple[Callable[[], object], str]] = {
    "no-map": (dict, "no weight_map"),
    "a-list": (lambda: ["one.safetensors"], "no weight_map"),
    "outside": (lambda: build_map() | {WORDS: "../one.safetensors"}, r"names '\.\./one"),
    "absolute": (lambda: build_map() | {WORDS: "/etc/x.safetensors"}, "names '/etc/x"),
    "pickle": (lambda: build_map() | {WORDS: "one.bin"}, "names 'one.bin'"),
    "missing": (lambda: build_map() | {WORDS: "three.safetensors"}, "lacks three.safetensors"),
    "lost": (lambda: build_map() | {"x.weight": "one.safetensors"}, "has no tensor x.weight"),
}


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_that_leads_nowhere_is_refused(tmp_path: Path, name: str) -> None:
    build, reason = INDEXES[name]
    assert_refused(write_shards(tmp_path / name, build()), reason)


class Planted:
    """An object whose unpickling leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self._trace,)


@pytest.mark.parametrize("has_safetensors", [True, False])
def test_a_pickle_is_never_opened(tmp_path: Path, has_safetensors: bool) -> None:
    folder, trace = write_model(tmp_path / "it"), tmp_path / "trace"
    for name in ("pytorch_model.bin", "training_args.bin", "model.pkl"):
        (folder / name).write_bytes(pickle.dumps(Planted(trace)))
    if not has_safetensors:
        (folder / "model.safetensors").unlink()
    opened: list[str] = []
    is_listening = True

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        if is_listening and event == "open":
            opened.append(str(arguments[0]))

    sys.addaudithook(listen)  # it stays for the life of the process, and is switched off below
    try:
        if has_safetensors:
            check_model_folder(folder)
        else:
            assert_refused(folder, "only as a pickle")
    finally:
        is_listening = False
    assert str(folder / "config.json") in opened
    assert not [path for path in opened if path.endswith((".bin", ".pkl"))]
    assert not trace.exists()
    pickle.loads((folder / "model.pkl").read_bytes())
    assert trace.exists()  # the trap works
