"""The catalogue describes models by what their files say, quickly, and anew after a change."""

import json
import math
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue, EncoderFacts
from shared.encoders.catalogue_entries import (
    OFFLINE_DETAILS,
    find_installed_entry,
    list_installed_entries,
)
from shared.encoders.details import EncoderDetails, read_details
from shared.encoders.model_card import ModelCard, read_model_card
from shared.encoders.training_memory import estimate_training_memory
from shared.encoders.uploaded import compute_weights_digest
from shared.recipe.fields import Precision
from tests.encoders.small_folders import (
    Tensors,
    build_config,
    build_safetensors,
    join_safetensors,
    list_tensors,
    write_model,
)

CARDS: dict[str, tuple[str, ModelCard]] = {
    "one-language": ("---\nlanguage: en\nlicense: mit\n---\n# x", ModelCard(("en",), "mit")),
    "a-list": ("---\nlanguage:\n- de\n- fr\nlicense: mit\n---\n", ModelCard(("de", "fr"), "mit")),
    "norwegian": ("---\nlanguage: no\n---\n", ModelCard(("no",))),
    "other-license": (
        "---\nlicense: other\nlicense_name: our-own\n---\n",
        ModelCard(license="our-own"),
    ),
    "bom-and-crlf": ("\ufeff---\r\nlanguage: en\r\n---\r\n", ModelCard(("en",))),
    "no-head": ("# A model\n---\nlanguage: en\n---\n", ModelCard()),
    "open-head": ("---\nlanguage: en\n", ModelCard()),
    "malformed": ("---\nlanguage: [en\n---\n", ModelCard()),
    "a-number": ("---\nlanguage: {a: b}\nlicense: [3]\n---\n", ModelCard(license="3")),
    "a-text": ("---\njust a text\n---\n", ModelCard()),
    "deep": (f"---\nlanguage: {'[' * 5000}\n---\n", ModelCard()),
    "empty": ("", ModelCard()),
}


@pytest.mark.parametrize("kind", CARDS)
def test_a_card_is_read_or_left_alone(tmp_path: Path, kind: str) -> None:
    text, expected = CARDS[kind]
    (tmp_path / "README.md").write_bytes(text.encode())
    assert read_model_card(tmp_path) == expected


def test_a_small_card_that_would_multiply_is_harmless(tmp_path: Path) -> None:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{at}: &a{at} {{<<: [*a{at - 1}, *a{at - 1}]}}" for at in range(1, 60)]
    (tmp_path / "README.md").write_text("\n".join(["---", *lines, "language: en", "---"]))
    before = time.monotonic()
    assert read_model_card(tmp_path).languages == ("en",)
    assert time.monotonic() - before < 5


def test_long_values_are_shortened(tmp_path: Path) -> None:
    languages = [f"l{at}" for at in range(1000)]
    head = {"language": languages, "license": "x" * 1000}
    (tmp_path / "README.md").write_text(f"---\n{json.dumps(head)}\n---\n")
    card = read_model_card(tmp_path)
    assert len(card.languages) == 200
    assert card.license == "x" * 80


POOLINGS: dict[str, tuple[Any, str | None]] = {
    "mean": ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
    "two": ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, "cls+mean"),
    "newer": ({"pooling_mode": "cls"}, "cls"),
    "unknown": ({"pooling_mode": "x" * 500}, None),
    "no-object": ([1], None),
}


@pytest.mark.parametrize("kind", POOLINGS)
def test_the_pooling_is_that_of_the_sentence_encoder(tmp_path: Path, kind: str) -> None:
    config, expected = POOLINGS[kind]
    write_model(tmp_path / "it")
    assert read_details(tmp_path / "it").pooling is None
    (tmp_path / "it" / "1_Pooling").mkdir()
    (tmp_path / "it" / "1_Pooling" / "config.json").write_text(json.dumps(config))
    assert read_details(tmp_path / "it").pooling == expected


def test_parameters_are_counted_in_every_shard_of_the_index_without_positions(
    tmp_path: Path,
) -> None:
    shards: dict[str, Tensors] = {
        "part-1.safetensors": {"a": ("F32", [2, 3]), "ids": ("I64", [1, 512])},
        "part-2.safetensors": {"b": ("BF16", [5]), "c": ("F16", [])},
        "head.safetensors": {"d": ("F32", [100])},
    }
    for name, tensors in shards.items():
        (tmp_path / name).write_bytes(build_safetensors(tensors))
    index = {"a": "part-1.safetensors", "b": "part-2.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    assert read_details(tmp_path).parameters == 6 + 5 + 1
    (tmp_path / "model.safetensors").write_bytes(build_safetensors({"a": ("F32", [7])}))
    assert read_details(tmp_path).parameters == 7
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 20)
    assert read_details(tmp_path).parameters is None


def test_the_digest_of_shards_is_that_of_the_files_in_the_index(tmp_path: Path) -> None:
    def compute(first: float) -> str:
        folder = tmp_path / str(first)
        folder.mkdir()
        for name, values in (("a", [first]), ("b", [2.0]), ("stray", [first + 1])):
            content = join_safetensors(
                {name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}},
                struct.pack("<f", *values),
            )
            (folder / f"{name}.safetensors").write_bytes(content)
        index = {"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        return compute_weights_digest(folder)

    digests = [compute(first) for first in (1.0, 3.0)]
    assert digests[0] != digests[1]
    folder = tmp_path / "1.0"
    (folder / "stray.safetensors").unlink()
    assert compute_weights_digest(folder) == digests[0]


def test_a_changed_file_changes_the_details(tmp_path: Path) -> None:
    config = build_config(num_attention_heads=4)
    write_model(tmp_path / "it", config)
    catalogue = Catalogue([tmp_path])
    entry = find_installed_entry(catalogue, "it")
    assert entry is not None
    parameters = sum(math.prod(shape) for _, shape in list_tensors(config).values())
    assert (entry.source, entry.details.parameters) == ("folder", parameters)
    assert (entry.details.num_attention_heads, entry.details.license) == (4, None)
    (tmp_path / "it" / "README.md").write_text("---\nlicense: mit\n---\n")
    changed = find_installed_entry(catalogue, "it")
    assert changed is not None
    assert changed.details.license == "mit"
    (tmp_path / "it" / "model.safetensors").unlink()
    assert find_installed_entry(catalogue, "it") is None
    assert find_installed_entry(catalogue, "nothing") is None


def test_fifty_folders_are_listed_fast_once_they_are_known(tmp_path: Path) -> None:
    for number in range(50):
        write_model(tmp_path / f"model-{number:02}")
    catalogue = Catalogue([tmp_path])
    assert len(list_installed_entries(catalogue)) == 51
    durations = []
    for _ in range(5):
        before = time.process_time()
        entries = list_installed_entries(catalogue)
        durations.append(time.process_time() - before)
    assert [entry.id for entry in entries[:2]] == [OFFLINE_ENCODER, "model-00"]
    assert min(durations) < 0.5


@pytest.mark.real_encoder
def test_an_api_without_the_encoders_files_says_the_same() -> None:
    assert read_details(Catalogue().get_folder(OFFLINE_ENCODER)) == OFFLINE_DETAILS


MEASURED_PEAKS: list[tuple[int, int, int, int, Precision, int]] = [
    (6, 384, 12, 22_713_216, "float32", 2031),
    (6, 384, 12, 22_713_216, "bfloat16", 1564),
    (12, 384, 6, 33_360_000, "float32", 3056),
    (12, 384, 6, 33_360_000, "bfloat16", 2201),
    (4, 768, 12, 52_770_000, "float32", 2672),
    (4, 768, 12, 52_770_000, "bfloat16", 2177),
]
"""Layers, width, heads, parameters, precision, and the peak resident memory in MiB of a trainer on
a CPU, for batches of 32 rows of 128 tokens (decision 0026).
"""


@pytest.mark.parametrize(
    ("layers", "width", "heads", "parameters", "precision", "peak"), MEASURED_PEAKS
)
def test_the_estimate_of_memory_is_near_measured_peaks(
    layers: int, width: int, heads: int, parameters: int, precision: Precision, peak: int
) -> None:
    facts = EncoderFacts("m", "bert", layers, width, 512)
    details = EncoderDetails(parameters=parameters, num_attention_heads=heads)
    estimate = estimate_training_memory(facts, details, precision)
    assert estimate == pytest.approx(peak * 1024**2, rel=0.12)


def test_memory_depends_on_what_is_known() -> None:
    facts = EncoderFacts("m", "bert", 12, 768, 512)
    short = EncoderFacts("m", "bert", 12, 768, 64)
    details = EncoderDetails(parameters=110_000_000)
    estimate = estimate_training_memory(facts, details, "float32")
    assert estimate is not None
    for smaller in (
        estimate_training_memory(short, details, "float32"),
        estimate_training_memory(facts, details, "bfloat16"),
        estimate_training_memory(facts, EncoderDetails(parameters=1_000_000), "float32"),
    ):
        assert smaller is not None
        assert smaller < estimate
    assert estimate_training_memory(facts, EncoderDetails(), "float32") is None
