"""Training only the entries that occur rounds like training the full table, on torch's kernels."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

from shared.recipe.schedule import create_linear_schedule
from tests.encoders.saving import build_common_settings
from tests.encoders.tokenizers import build_wordpiece_tokenizer
from tests.worker.training.runs import build_text, make_recipe
from worker.training.model.compact_vocabulary import (
    CompactVocabulary,
    compute_decay_factors,
    replay_decay,
)
from worker.training.model.initial_weights import copy_initial_weights
from worker.training.optim.optimizer import Optimizer, compute_gradient_norm


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("width", [384, 312, 24, 18, 17])
def test_norm_and_update_of_the_entries_alone_are_those_of_the_whole_table(
    width: int, threads: int
) -> None:
    """The bitwise promise depends on this property of torch's kernels, for all widths."""
    draw = torch.Generator().manual_seed(width)
    size, recipe = 997, make_recipe(weight_decay=0.1, max_steps=20)
    table = nn.Embedding(size, width)
    used = torch.randperm(size, generator=draw)[:150].sort().values
    gradient = torch.zeros(size, width).index_copy_(
        0, used, torch.randn(150, width, generator=draw)
    )
    vocabulary = CompactVocabulary.from_texts(_wrap_table(table), [build_text(used)])
    whole, small = nn.Module(), nn.Module()
    whole.table = nn.Parameter(table.weight.detach().clone())
    small.table = nn.Parameter(table.weight.detach()[vocabulary.entries])
    updates = [(module, Optimizer(module, recipe)) for module in (whole, small)]
    for step in range(1, 6):
        whole.table.grad, small.table.grad = gradient / step, gradient[vocabulary.entries] / step
        assert torch.equal(
            compute_gradient_norm(whole.parameters()), compute_gradient_norm(small.parameters())
        )
        for _, optimizer in updates:
            optimizer.step(1e-3 * step)
    assert torch.equal(whole.table[vocabulary.entries], small.table)


class _Network(nn.Module):
    """A module with word embeddings and a config, enough for ``CompactVocabulary``."""

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.table = table
        self.config = BertConfig(vocab_size=table.num_embeddings)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.table


def _wrap_table(table: nn.Embedding) -> Any:
    return _Network(table)


@pytest.mark.parametrize(
    "changes",
    [
        {"weight_decay": 0.1},
        {"weight_decay": 0.01, "bias_correction": False},
        {"weight_decay": 0.1, "pretrained_weight_decay": 0.1, "layerwise_learning_rate_decay": 0.8},
    ],
    ids=str,
)
def test_the_replayed_decay_equals_the_optimizers(changes: dict[str, object]) -> None:
    recipe = make_recipe(max_steps=40, **changes)
    settings = build_common_settings(build_wordpiece_tokenizer(), blocks=2, dropout=0.1)
    settings |= {"vocab_size": 1201}  # three chunks of the replay
    network = BertForSequenceClassification(BertConfig(**settings))
    table = network.bert.embeddings.word_embeddings.weight
    start = table.detach().clone()
    optimizer = Optimizer(network, recipe, copy_initial_weights(network, recipe))
    factors = compute_decay_factors(network, recipe, 25)
    schedule = create_linear_schedule(recipe.learning_rate, recipe.warmup_ratio, recipe.max_steps)
    for step in range(1, 26):
        table.grad = torch.zeros_like(table)
        optimizer.step(schedule.compute_rate(step))
    assert not torch.equal(table, start)
    assert torch.equal(replay_decay(start, start, factors), table)
