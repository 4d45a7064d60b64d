"""A run that trains only the word embeddings of its files' tokens ends, bit for bit, as one
that trains the whole table.
"""

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
from tests.encoders.saving import common_settings, save
from tests.encoders.tokenizers import unigram, wordpiece
from tests.worker.training.runs import (
    Trained,
    make_recipe,
    make_spec,
    make_task,
    run_events,
    text_of,
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


def large_vocabulary(folder: Path) -> Path:
    """An XLM-R whose table is nearly all of it, as the real one's is most of it."""
    settings = common_settings(unigram(), blocks=2, dropout=0.1) | WITH_UNUSED_POSITIONS
    config = XLMRobertaConfig(**settings | {"vocab_size": 20_011, "type_vocab_size": 1})
    return save(lambda: XLMRobertaForMaskedLM(config), unigram(), folder, 0)


def odd_width(folder: Path) -> Path:
    """A BERT of width 18 with an odd number of entries: neither a row nor the table fills whole
    vector registers.
    """
    settings = common_settings(wordpiece(), blocks=2, dropout=0.1)
    config = BertConfig(**settings | {"vocab_size": 213, "hidden_size": 18})
    return save(lambda: BertModel(config), wordpiece(), folder, 0)


@pytest.fixture(scope="module")
def base_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    builders: dict[str, Callable[[Path], Path]] = {
        "large": large_vocabulary,
        "odd": odd_width,
        **ENCODERS,
    }
    made: dict[str, Path] = {}

    def build(name: str) -> Path:
        if name not in made:
            made[name] = builders[name](tmp_path_factory.mktemp(name))
        return made[name]

    return build


@pytest.fixture
def plainly(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunSpec], Trained]:
    """Trains the whole table."""

    def all_entries(network: PreTrainedModel, _: object) -> CompactVocabulary:
        return CompactVocabulary(torch.arange(network.config.vocab_size), network.config.vocab_size)

    def train(spec: RunSpec) -> Trained:
        with monkeypatch.context() as patched:
            patched.setattr(CompactVocabulary, "from_texts", all_entries)
            return Trained(spec)

    return train


def splits_of(spec: RunSpec) -> Splits:
    return load_splits(spec, TextCache(), lambda: None)


def vocabulary_of(spec: RunSpec) -> tuple[PreTrainedModel, CompactVocabulary, Splits]:
    splits = splits_of(spec)
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
def test_every_number_and_the_exported_weights_are_those_of_the_plain_way(
    base: str,
    changes: dict[str, Any],
    tmp_path: Path,
    base_of: Callable[[str], Path],
    plainly: Callable[[RunSpec], Trained],
) -> None:
    """Losses, gradient norms of the whole and its parts, scores, distances from the start, and
    the digest of the weights.
    """
    recipe = make_recipe(max_steps=8, **changes)
    spec = make_spec(tmp_path, base_of(base), recipe=recipe)
    assert vocabulary_of(spec)[1].is_cut
    plain = plainly(make_spec(tmp_path, base_of(base), recipe=recipe))
    assert Trained(spec).events == plain.events


def test_the_checkpoint_of_an_earlier_step_has_the_decay_of_that_step(
    tmp_path: Path, base_of: Callable[[str], Path], plainly: Callable[[RunSpec], Trained]
) -> None:
    base, recipe = (
        base_of("bert"),
        make_recipe(weight_decay=0.5, learning_rate=1e-9, warmup_ratio=0.0, eval_points=4),
    )
    plain, ours = (train(make_spec(tmp_path, base, recipe=recipe)) for train in (plainly, Trained))
    assert (
        ours.finished.best_step == 3
    )  # of 12 steps: nothing is learnt, and the first of equal scores is kept
    assert ours.finished == plain.finished


def test_a_state_has_the_table_of_the_run_and_the_published_folder_the_whole_one(
    tmp_path: Path, base_of: Callable[[str], Path]
) -> None:
    name = "roberta.embeddings.word_embeddings.weight"
    paused = make_spec(tmp_path, base_of("large"), recipe=make_recipe(), stop_step=6)
    list(run_events(paused))
    state = paused.output / "state-6"
    for file in ("weights", "best"):
        assert len(load_file(state / f"{file}.safetensors")[name]) < 100
    resumed = Trained(make_spec(tmp_path, base_of("large"), recipe=make_recipe(), state=state))
    published = load_file(resumed.spec.output / "model" / "model.safetensors")[name]
    begun = load_file(base_of("large") / "model.safetensors")[name]
    assert published.shape == begun.shape == (20_011, 32)
    moved = (published != begun).any(dim=1)
    assert 0 < moved.sum() < 100
    assert not moved[100:].any()  # the tokenizer's own tokens come first, and no others occur


def test_what_the_cache_keeps_stays_as_it_was_encoded(
    tmp_path: Path, base_of: Callable[[str], Path]
) -> None:
    cache, spec = (
        TextCache(),
        make_spec(tmp_path, base_of("roberta"), recipe=make_recipe(max_steps=2)),
    )

    def kept() -> EncodedText:
        return load_splits(spec, cache, lambda: None).train.text

    before = kept()
    ids, padding = [row.clone() for row in before.columns["input_ids"]], dict(before.padding)
    list(train_run(spec, lambda: False, cache))
    assert kept() is before
    assert before.padding == padding
    assert all(
        torch.equal(row, its) for row, its in zip(before.columns["input_ids"], ids, strict=True)
    )


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "mpnet", "modernbert", "bert"])
@torch.no_grad()
def test_renumbered_rows_give_the_same_answers(
    family: str, tmp_path: Path, base_of: Callable[[str], Path]
) -> None:
    """In a padded batch: positions that count from the padding's id, and the padding itself."""
    network, vocabulary, splits = vocabulary_of(make_spec(tmp_path, base_of(family)))
    before = network.eval()(
        **splits.train.text.build_padded_batch(splits.train.rows[:9]).inputs
    ).logits
    again = vocabulary.renumber_splits(splits)
    assert again.train.text is again.validation.text  # one file stays one
    vocabulary.cut_embeddings(network)
    after = network(**again.train.text.build_padded_batch(again.train.rows[:9]).inputs).logits
    assert torch.equal(after, before)
    padding = again.train.text.padding["input_ids"]
    assert _words(network).padding_idx == padding
    assert vocabulary.entries[padding] == splits.train.text.padding["input_ids"]


def test_entries_are_those_that_occur_and_the_padding(
    tmp_path: Path, base_of: Callable[[str], Path]
) -> None:
    _, vocabulary, splits = vocabulary_of(make_spec(tmp_path, base_of("modernbert")))
    text = splits.train.text
    assert set(vocabulary.entries.tolist()) == {
        *torch.cat(text.columns["input_ids"]).tolist(), text.padding["input_ids"]
    }  # fmt: skip


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "mpnet"])
def test_where_positions_count_from_the_padding_its_id_stays_though_none_before_it_occurs(
    family: str, base_of: Callable[[str], Path]
) -> None:
    network = load_encoder(base_of(family), make_task(), 0)
    vocabulary = CompactVocabulary.from_texts(network, [text_of(torch.tensor([5, 9]), padding=1)])
    assert vocabulary.entries.tolist() == [0, 1, 5, 9]
    vocabulary.cut_embeddings(network)
    assert _words(network).padding_idx == 1


def _words(network: PreTrainedModel) -> nn.Embedding:
    embedding = network.get_input_embeddings()
    assert isinstance(embedding, nn.Embedding)
    return embedding


def tied(network: PreTrainedModel) -> None:
    output = nn.Linear(32, network.config.vocab_size, bias=False)
    output.weight = _words(network).weight
    network.get_submodule("classifier").add_module("output", output)


def twice(network: PreTrainedModel) -> None:
    network.get_submodule("classifier").add_module("words", _words(network))


def renormed(network: PreTrainedModel) -> None:
    _words(network).max_norm = 1.0


@pytest.mark.parametrize("change", [tied, twice, renormed])
def test_a_table_that_something_else_uses_is_left_as_it_is(
    change: Callable[[PreTrainedModel], None], tmp_path: Path, base_of: Callable[[str], Path]
) -> None:
    spec = make_spec(tmp_path, base_of("bert"))
    network, splits = load_encoder(spec.base_model, spec.task, 0), splits_of(spec)
    change(network)
    table = _words(network).weight
    vocabulary = CompactVocabulary.from_texts(network, [splits.train.text])
    assert not vocabulary.is_cut
    vocabulary.cut_embeddings(network)
    assert _words(network).weight is table
    assert vocabulary.renumber_splits(splits) is splits
    assert vocabulary.build_full_table(network, network, spec.recipe, 3) == {}
