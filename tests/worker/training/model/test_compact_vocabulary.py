"""A run with a compact vocabulary ends, bit for bit, like one that trains the full table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)

from tests.encoders import ENCODERS
from tests.encoders.families import WITH_UNUSED_POSITIONS
from tests.encoders.saving import build_common_settings, save_encoder
from tests.encoders.tokenizers import build_unigram_tokenizer, build_wordpiece_tokenizer
from tests.worker.training.runs import (
    Trained,
    build_text,
    iterate_events,
    make_recipe,
    make_spec,
    make_task,
    never_stop,
)
from worker.training.data.split import Splits, load_splits
from worker.training.data.tokenization import EncodedText, TextCache
from worker.training.model.compact_vocabulary import CompactVocabulary
from worker.training.model.encoder import load_encoder
from worker.training.run import train_run
from worker.training.spec import RunSpec

ALL_AT_ONCE: dict[str, Any] = {
    "weight_decay": 0.1,
    "pretrained_weight_decay": 0.1,
    "bias_correction": False,
    "layerwise_learning_rate_decay": 0.8,
    "mixout": 0.2,
}
RECIPES: list[dict[str, Any]] = [
    {},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "select": "last"},
    {"weight_decay": 0.01, "bias_correction": False, "max_grad_norm": 0.05},
    {"pretrained_weight_decay": 0.1},
    {"weight_decay": 0.1, "layerwise_learning_rate_decay": 0.7, "warmup_ratio": 0.0},
]


def build_large_vocabulary_folder(folder: Path) -> Path:
    """Build an XLM-R whose parameters are mostly word embeddings."""
    settings = (
        build_common_settings(build_unigram_tokenizer(), blocks=2, dropout=0.1)
        | WITH_UNUSED_POSITIONS
    )
    config = XLMRobertaConfig(**settings | {"vocab_size": 20_011, "type_vocab_size": 1})
    return save_encoder(lambda: XLMRobertaForMaskedLM(config), build_unigram_tokenizer(), folder, 0)


def build_odd_width_folder(folder: Path) -> Path:
    """Build a BERT of width 18 with an odd vocabulary.

    Neither a row nor the table fills whole vector registers.
    """
    settings = build_common_settings(build_wordpiece_tokenizer(), blocks=2, dropout=0.1)
    config = BertConfig(**settings | {"vocab_size": 213, "hidden_size": 18})
    return save_encoder(lambda: BertModel(config), build_wordpiece_tokenizer(), folder, 0)


@pytest.fixture(scope="module")
def get_base_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    builders: dict[str, Callable[[Path], Path]] = {
        "large": build_large_vocabulary_folder,
        "odd": build_odd_width_folder,
        **ENCODERS,
    }
    made: dict[str, Path] = {}

    def build(name: str) -> Path:
        if name not in made:
            made[name] = builders[name](tmp_path_factory.mktemp(name))
        return made[name]

    return build


@pytest.fixture
def train_full_table(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunSpec], Trained]:
    """Trains a run without a compact vocabulary."""

    def all_entries(network: PreTrainedModel, _: object) -> CompactVocabulary:
        return CompactVocabulary(torch.arange(network.config.vocab_size), network.config.vocab_size)

    def train(spec: RunSpec) -> Trained:
        with monkeypatch.context() as patched:
            patched.setattr(CompactVocabulary, "from_texts", all_entries)
            return Trained(spec)

    return train


def load_spec_splits(spec: RunSpec) -> Splits:
    return load_splits(spec, TextCache(), never_stop)


def build_vocabulary(spec: RunSpec) -> tuple[PreTrainedModel, CompactVocabulary, Splits]:
    splits = load_spec_splits(spec)
    network = load_encoder(spec.base_model, spec.task, spec.init_seed)
    return network, CompactVocabulary.from_texts(network, [splits.train.text]), splits


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
    changes: dict[str, Any],
    tmp_path: Path,
    get_base_model: Callable[[str], Path],
    train_full_table: Callable[[RunSpec], Trained],
) -> None:
    """Compare losses, gradient norms, scores, distances and the digest of the weights."""
    recipe = make_recipe(max_steps=8, **changes)
    spec = make_spec(tmp_path, get_base_model(base), recipe=recipe)
    assert build_vocabulary(spec)[1].is_cut
    full = train_full_table(make_spec(tmp_path, get_base_model(base), recipe=recipe))
    assert Trained(spec).events == full.events


def test_the_checkpoint_of_an_earlier_step_has_the_decay_of_that_step(
    tmp_path: Path,
    get_base_model: Callable[[str], Path],
    train_full_table: Callable[[RunSpec], Trained],
) -> None:
    base = get_base_model("bert")
    recipe = make_recipe(weight_decay=0.5, learning_rate=1e-9, warmup_ratio=0.0, eval_points=4)
    full, compact = (
        train(make_spec(tmp_path, base, recipe=recipe)) for train in (train_full_table, Trained)
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
    resumed = Trained(
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


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "mpnet", "modernbert", "bert"])
@torch.no_grad()
def test_renumbered_rows_have_the_same_logits(
    family: str, tmp_path: Path, get_base_model: Callable[[str], Path]
) -> None:
    """The batch is padded, which covers the padding and positions that depend on its id."""
    network, vocabulary, splits = build_vocabulary(make_spec(tmp_path, get_base_model(family)))
    before = network.eval()(
        **splits.train.text.build_padded_batch(splits.train.rows[:9]).inputs
    ).logits
    renumbered = vocabulary.renumber_splits(splits)
    assert (
        renumbered.train.text is renumbered.validation.text
    )  # splits of one file still share its text
    vocabulary.cut_embeddings(network)
    after = network(
        **renumbered.train.text.build_padded_batch(renumbered.train.rows[:9]).inputs
    ).logits
    assert torch.equal(after, before)
    padding = renumbered.train.text.padding["input_ids"]
    assert _get_word_embeddings(network).padding_idx == padding
    assert vocabulary.entries[padding] == splits.train.text.padding["input_ids"]


def test_entries_are_the_tokens_that_occur_and_the_padding(
    tmp_path: Path, get_base_model: Callable[[str], Path]
) -> None:
    _, vocabulary, splits = build_vocabulary(make_spec(tmp_path, get_base_model("modernbert")))
    text = splits.train.text
    assert set(vocabulary.entries.tolist()) == {
        *torch.cat(text.columns["input_ids"]).tolist(), text.padding["input_ids"]
    }  # fmt: skip


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "mpnet"])
def test_families_that_count_positions_from_the_padding_keep_its_id(
    family: str, get_base_model: Callable[[str], Path]
) -> None:
    network = load_encoder(get_base_model(family), make_task(), 0)
    vocabulary = CompactVocabulary.from_texts(
        network, [build_text(torch.tensor([5, 9]), padding=1)]
    )
    assert vocabulary.entries.tolist() == [0, 1, 5, 9]
    vocabulary.cut_embeddings(network)
    assert _get_word_embeddings(network).padding_idx == 1


def _get_word_embeddings(network: PreTrainedModel) -> nn.Embedding:
    embedding = network.get_input_embeddings()
    assert isinstance(embedding, nn.Embedding)
    return embedding


def tie_output(network: PreTrainedModel) -> None:
    output = nn.Linear(32, network.config.vocab_size, bias=False)
    output.weight = _get_word_embeddings(network).weight
    network.get_submodule("classifier").add_module("output", output)


def register_twice(network: PreTrainedModel) -> None:
    network.get_submodule("classifier").add_module("words", _get_word_embeddings(network))


def set_max_norm(network: PreTrainedModel) -> None:
    _get_word_embeddings(network).max_norm = 1.0


@pytest.mark.parametrize("change", [tie_output, register_twice, set_max_norm])
def test_a_table_with_other_uses_is_not_cut(
    change: Callable[[PreTrainedModel], None], tmp_path: Path, get_base_model: Callable[[str], Path]
) -> None:
    spec = make_spec(tmp_path, get_base_model("bert"))
    network, splits = load_encoder(spec.base_model, spec.task, 0), load_spec_splits(spec)
    change(network)
    table = _get_word_embeddings(network).weight
    vocabulary = CompactVocabulary.from_texts(network, [splits.train.text])
    assert not vocabulary.is_cut
    vocabulary.cut_embeddings(network)
    assert _get_word_embeddings(network).weight is table
    assert vocabulary.renumber_splits(splits) is splits
    assert vocabulary.build_full_table(network, network, spec.recipe, 3) == {}
