"""A run with a compact vocabulary ends, bit for bit, like one that trains the full table."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel

from tests.encoders import ENCODERS
from tests.worker.training.model.test_compact_vocabulary import build_vocabulary
from tests.worker.training.runs import (
    TrainedRun,
    iterate_events,
    make_recipe,
    make_spec,
    never_stop,
)
from worker.training.data.split import load_splits
from worker.training.data.tokenization import EncodedText, TextCache
from worker.training.model.compact_vocabulary import CompactVocabulary
from worker.training.run import train_run
from worker.training.spec import RunSpec

ALL_AT_ONCE: dict[str, object] = {
    "weight_decay": 0.1,
    "pretrained_weight_decay": 0.1,
    "bias_correction": False,
    "layerwise_learning_rate_decay": 0.8,
    "mixout": 0.2,
}
RECIPES: list[dict[str, object]] = [
    {},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "select": "last"},
    {"weight_decay": 0.1, "select": "greedy_average", "learning_rate": 1e-2},
    {"weight_decay": 0.01, "bias_correction": False, "max_grad_norm": 0.05},
    {"pretrained_weight_decay": 0.1},
    {"weight_decay": 0.1, "layerwise_learning_rate_decay": 0.7, "warmup_ratio": 0.0},
]


@pytest.fixture
def train_full_table(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunSpec], TrainedRun]:
    """Trains a run without a compact vocabulary."""

    def keep_all_entries(network: PreTrainedModel, _: object) -> CompactVocabulary:
        return CompactVocabulary(torch.arange(network.config.vocab_size), network.config.vocab_size)

    def train(spec: RunSpec) -> TrainedRun:
        with monkeypatch.context() as patched:
            patched.setattr(CompactVocabulary, "from_texts", keep_all_entries)
            return TrainedRun(spec)

    return train


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        *(("large", changes) for changes in RECIPES),
        *(("odd", changes) for changes in (RECIPES[1], ALL_AT_ONCE)),
        *((family, ALL_AT_ONCE) for family in ENCODERS),
    ],
    ids=str,
)
def test_every_number_and_the_exported_weights_equal_full_training(
    base: str,
    changes: dict[str, object],
    tmp_path: Path,
    get_base_model: Callable[[str], Path],
    train_full_table: Callable[[RunSpec], TrainedRun],
) -> None:
    """Compare losses, gradient norms, scores, distances and the digest of the weights."""
    recipe = make_recipe(max_steps=8, **changes)
    spec = make_spec(tmp_path, get_base_model(base), recipe=recipe)
    assert build_vocabulary(spec)[1].is_cut
    full = train_full_table(make_spec(tmp_path, get_base_model(base), recipe=recipe))
    assert TrainedRun(spec).events == full.events


def test_the_checkpoint_of_an_earlier_step_has_the_decay_of_that_step(
    tmp_path: Path,
    get_base_model: Callable[[str], Path],
    train_full_table: Callable[[RunSpec], TrainedRun],
) -> None:
    base = get_base_model("bert")
    recipe = make_recipe(weight_decay=0.5, learning_rate=1e-9, warmup_ratio=0.0, eval_points=4)
    full, compact = (
        train(make_spec(tmp_path, base, recipe=recipe)) for train in (train_full_table, TrainedRun)
    )
    # nothing is learned in 12 steps, and the first of equal scores is kept
    assert compact.finished.best_step == 3
    assert compact.finished == full.finished


def test_resume_states_have_the_cut_table_and_exports_the_full_one(
    tmp_path: Path, get_base_model: Callable[[str], Path]
) -> None:
    name = "roberta.embeddings.word_embeddings.weight"
    paused = make_spec(tmp_path, get_base_model("large"), recipe=make_recipe(), stop_step=6)
    list(iterate_events(paused))
    state = paused.output / "state-6"
    for file in ("weights", "best"):
        assert len(load_file(state / f"{file}.safetensors")[name]) < 100
    resumed = TrainedRun(
        make_spec(tmp_path, get_base_model("large"), recipe=make_recipe(), state=state)
    )
    exported = load_file(resumed.spec.output / "model" / "model.safetensors")[name]
    initial = load_file(get_base_model("large") / "model.safetensors")[name]
    assert exported.shape == initial.shape == (20_011, 32)
    moved = (exported != initial).any(dim=1)
    assert 0 < moved.sum() < 100
    assert not moved[100:].any()  # only the tokenizer's tokens occur, and they come first


def test_training_does_not_change_the_cached_text(
    tmp_path: Path, get_base_model: Callable[[str], Path]
) -> None:
    cache = TextCache()
    spec = make_spec(tmp_path, get_base_model("roberta"), recipe=make_recipe(max_steps=2))

    def load_cached_text() -> EncodedText:
        return load_splits(spec, cache, never_stop).train.text

    before = load_cached_text()
    ids, padding = [row.clone() for row in before.columns["input_ids"]], dict(before.padding)
    list(train_run(spec, lambda: False, cache))
    assert load_cached_text() is before
    assert before.padding == padding
    assert all(
        torch.equal(row, copy) for row, copy in zip(before.columns["input_ids"], ids, strict=True)
    )
