"""A pass over a flat sequence of tokens is the padded pass, for every family that can take one;
and nothing of it stays behind.
"""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import (
    PreTrainedModel,
)

from shared.datasets import Examples
from tests.encoders import ENCODERS
from tests.worker.training.runs import Trained, make_recipe, make_spec, make_task
from worker.training.data.tokenization import EncodedText, encode_examples, load_tokenizer
from worker.training.model.encoder import load_encoder
from worker.training.model.forward import Forward
from worker.training.packed.packed_layout import TOKEN_MULTIPLE
from worker.training.packed.packing import ATTENTION_NAME

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
    """Rows of 2 to ``MAX_PILOT_STEPS`` tokens, some of them alike; the longest are cut."""
    counts = [3, 60, 0, 17, 1, 1, 22, 40, 0, 9, 33, 2]
    texts = [
        " ".join(WORDS[(row + place) % len(WORDS)] for place in range(count))
        for row, count in enumerate(counts)
    ]
    seconds = [" ".join(text.split()[::-2]) for text in texts] if pairs else None
    examples = Examples(
        texts=texts, second_texts=seconds, labels=[row % 2 for row in range(len(texts))]
    )
    return encode_examples(examples, load_tokenizer(base), LONGEST, lambda: None)


def gradients(network: PreTrainedModel, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    network.zero_grad()
    functional.cross_entropy(logits, labels).backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }


def assert_same_pass(network: PreTrainedModel, text: EncodedText, rows: list[int]) -> None:
    """Logits and gradients of the flat batch and of the padded one."""
    network.eval()
    forward = Forward(network)
    flat, padded = forward.build_batch(text, rows), text.build_padded_batch(rows)
    assert flat.layout is not None
    assert 0 <= flat.inputs["input_ids"].numel() - sum(text.list_lengths(rows)) < TOKEN_MULTIPLE
    assert torch.equal(flat.labels, padded.labels)
    ours, theirs = forward(flat), network(**padded.inputs).logits
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    of_ours, of_theirs = (gradients(network, logits, padded.labels) for logits in (ours, theirs))
    assert of_ours.keys() == of_theirs.keys()
    for name, gradient in of_theirs.items():
        torch.testing.assert_close(of_ours[name], gradient, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("family", sorted(ENCODERS.keys() - PADDED))
def test_a_flat_batch_gives_the_logits_and_gradients_of_a_padded_one(
    family: str, models: Path
) -> None:
    for pairs in (False, True):
        text = uneven_text(models / family, pairs=pairs)
        network = load_encoder(models / family, make_task(), init_seed=1)
        assert max(text.list_lengths(range(12))) == LONGEST
        assert_same_pass(network, text, [7, 2, 1, 0, 3, 4, 5, 6, 8, 9, 10, 11])
    assert_same_pass(network, text, [1])
    assert_same_pass(network, text, [8])
    assert_same_pass(network, text, [2, 8])


@pytest.mark.parametrize("family", sorted(PADDED))
def test_a_family_that_cannot_is_padded(family: str, models: Path) -> None:
    forward = Forward(load_encoder(models / family, make_task(), init_seed=1))
    text = uneven_text(models / family)
    batch = forward.build_batch(text, [2, 6])
    assert not forward.padding_free
    assert batch.layout is None
    assert batch.inputs["input_ids"].shape == (2, max(text.list_lengths([2, 6])))


def test_a_decoder_is_padded(models: Path) -> None:
    """A BERT that attends to the left alone, which attention within rows knows nothing of."""
    network = load_encoder(models / "bert", make_task(), init_seed=1)
    network.config.is_decoder = True
    assert not Forward(network).padding_free


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_modernbert_pools_as_its_config_says(pooling: str, models: Path) -> None:
    network = load_encoder(models / "modernbert", make_task(), init_seed=1)
    network.config.classifier_pooling = pooling
    assert_same_pass(network, uneven_text(models / "modernbert"), [7, 2, 1, 0, 3])


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta"])
def test_a_padding_token_that_a_text_spells_is_counted_as_the_family_counts_it(
    family: str, models: Path
) -> None:
    tokenizer = load_tokenizer(models / family)
    texts = [
        f"good {tokenizer.pad_token} film",
        "a film",
        f"{tokenizer.pad_token} {tokenizer.pad_token} dull",
    ]
    text = encode_examples(
        Examples(texts=texts, second_texts=None, labels=[0, 1, 1]), tokenizer, LONGEST, lambda: None
    )
    assert tokenizer.pad_token_id in text.columns["input_ids"][0]
    assert_same_pass(load_encoder(models / family, make_task(), init_seed=1), text, [2, 0, 1])


def test_a_pass_leaves_nothing_behind(models: Path) -> None:
    """Before and after it, even one that fails, the network takes padded batches, is copied,
    and has an ordinary config.
    """
    text = uneven_text(models / "bert")
    network = load_encoder(models / "bert", make_task(), init_seed=1).eval()
    hooks = sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()
    )
    forward, rows = Forward(network), [1, 0, 2]
    padded = network(**text.build_padded_batch(rows).inputs).logits
    flat = forward(forward.build_batch(text, rows))
    broken = forward.build_batch(text, rows)
    broken.inputs["input_ids"][0, 0] = 10**6
    with pytest.raises(IndexError):
        forward(broken)
    assert torch.equal(network(**text.build_padded_batch(rows).inputs).logits, padded)
    assert (
        sum(
            len(module._forward_hooks) + len(module._forward_pre_hooks)
            for module in network.modules()
        )
        == hooks
    )
    assert network.config._attn_implementation != ATTENTION_NAME
    assert ATTENTION_NAME not in network.config.to_json_string()
    copy = Forward(deepcopy(network))
    assert torch.equal(copy(copy.build_batch(text, rows)), flat)


@pytest.mark.parametrize("family", ["bert", "distilbert", "modernbert"])
def test_dropout_of_a_flat_pass_has_the_mean_and_spread_of_a_padded_one(
    family: str, models: Path
) -> None:
    """Of the logits of the same rows over many draws, with the family's own rates (0.1
    everywhere).
    """
    text, draws = uneven_text(models / family), 400
    rows = [0, 3, 6] * draws  # each row for itself draws what it drops
    network = load_encoder(models / family, make_task(), init_seed=1)
    forward = Forward(network)
    forward.train()
    torch.manual_seed(3)
    with torch.no_grad():
        flat = forward(forward.build_batch(text, rows)).unflatten(0, (draws, 3))
        padded = network(**text.build_padded_batch(rows).inputs).logits.unflatten(0, (draws, 3))
    assert flat.std(dim=0).min() > 0
    standard_error = (flat.var(dim=0) / draws + padded.var(dim=0) / draws).sqrt()
    assert ((flat.mean(dim=0) - padded.mean(dim=0)).abs() < 4.5 * standard_error).all()
    assert (flat.std(dim=0) / padded.std(dim=0)).sub(
        1
    ).abs().max() < 0.2  # the standard error of such a ratio is 0.05


@pytest.mark.parametrize("family", ["bert", "roberta", "modernbert"])
def test_without_dropout_a_run_learns_the_same_with_padding_and_without(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last evaluation; what is recorded in ``tests/numbers`` of runs with dropout rests
    on the draws, which differ.
    """
    base = ENCODERS[family](tmp_path / "base", dropout=0.0)
    recipe = make_recipe(max_steps=20, learning_rate=1e-3)
    flat = Trained(make_spec(tmp_path, base, recipe=recipe))
    monkeypatch.setattr("worker.training.model.forward.is_padding_free", lambda _: False)
    padded = Trained(make_spec(tmp_path, base, recipe=recipe))
    assert flat.started.environment["batches"] == "padding_free"
    assert padded.started.environment["batches"] == "padded"
    assert flat.losses == pytest.approx(padded.losses, abs=1e-5)
    for ours, theirs in zip(flat.evaluations, padded.evaluations, strict=True):
        assert ours.valid_loss == pytest.approx(theirs.valid_loss, abs=1e-5)
    assert flat.finished.trained_tokens == padded.finished.trained_tokens
