"""A pass over a flat sequence of tokens is the padded pass, for every family that can take one; and nothing of it stays behind."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoModelForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    PreTrainedModel,
)

from shared.datasets import Examples
from tests.encoders import ENCODERS
from tests.worker.training.runs import make_task
from worker.training.encoder import load_encoder
from worker.training.flat import ATTENTION
from worker.training.forward import Forward
from worker.training.text import EncodedText, encode, load_tokenizer

PADDED = {"deberta", "deberta-v2", "deberta-v3", "mpnet"}
LONGEST = 48
WORDS = ("good", "film", "story", "long", "dull", "warm", "care", "why")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families")
    for family, build in ENCODERS.items():
        build(folder / family)
    return folder


def uneven_text(base: Path, *, pairs: bool = False) -> EncodedText:
    """Rows of 2 to ``LONGEST`` tokens, some of them alike; the longest are cut."""
    counts = [3, 60, 0, 17, 1, 1, 22, 40, 0, 9, 33, 2]
    texts = [" ".join(WORDS[(row + place) % len(WORDS)] for place in range(count)) for row, count in enumerate(counts)]
    seconds = [" ".join(text.split()[::-2]) for text in texts] if pairs else None
    examples = Examples(texts=texts, pairs=seconds, labels=[row % 2 for row in range(len(texts))])
    return encode(examples, load_tokenizer(base), LONGEST, lambda: None)


def gradients(network: PreTrainedModel, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    network.zero_grad()
    functional.cross_entropy(logits, labels).backward()
    return {
        name: parameter.grad.clone() for name, parameter in network.named_parameters() if parameter.grad is not None
    }


def assert_same_pass(network: PreTrainedModel, text: EncodedText, rows: list[int]) -> None:
    """Logits and gradients of the flat batch and of the padded one."""
    network.eval()
    forward = Forward(network)
    flat, padded = forward.batch(text, rows), text.batch(rows)
    assert flat.layout is not None
    assert flat.inputs["input_ids"].shape == (1, sum(text.lengths(rows)))
    assert torch.equal(flat.labels, padded.labels)
    ours, theirs = forward(flat), network(**padded.inputs).logits
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    of_ours, of_theirs = (gradients(network, logits, padded.labels) for logits in (ours, theirs))
    assert of_ours.keys() == of_theirs.keys()
    for name, gradient in of_theirs.items():
        torch.testing.assert_close(of_ours[name], gradient, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("family", sorted(ENCODERS.keys() - PADDED))
def test_a_flat_batch_gives_the_logits_and_gradients_of_a_padded_one(family: str, models: Path) -> None:
    for pairs in (False, True):
        text = uneven_text(models / family, pairs=pairs)
        network = load_encoder(models / family, make_task(), init_seed=1)
        assert max(text.lengths(range(12))) == LONGEST
        assert_same_pass(network, text, [7, 2, 1, 0, 3, 4, 5, 6, 8, 9, 10, 11])
    assert_same_pass(network, text, [1])
    assert_same_pass(network, text, [8])
    assert_same_pass(network, text, [2, 8])
