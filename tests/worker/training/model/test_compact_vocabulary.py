"""Compact vocabularies: their entries, renumbered rows, and tables that are not cut."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from tests.worker.training.runs import build_text, make_spec, make_task, never_stop
from worker.training.data.split import Splits, load_splits
from worker.training.data.tokenization import TextCache
from worker.training.model.compact_vocabulary import CompactVocabulary
from worker.training.model.encoder import load_encoder
from worker.training.spec import RunSpec


def load_spec_splits(spec: RunSpec) -> Splits:
    return load_splits(spec, TextCache(), never_stop)


def build_vocabulary(spec: RunSpec) -> tuple[PreTrainedModel, CompactVocabulary, Splits]:
    splits = load_spec_splits(spec)
    network = load_encoder(spec.base_model, spec.task, spec.init_seed)
    return network, CompactVocabulary.from_texts(network, [splits.train.text]), splits


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
