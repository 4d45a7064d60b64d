"""A packed pass equals the padded pass for every family that supports it, without side effects."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from shared.datasets import Examples
from tests.encoders import ENCODERS
from tests.worker.training.runs import TrainedRun, make_recipe, make_spec, make_task, never_stop
from worker.training.data.tokenization import EncodedText, encode_examples
from worker.training.data.tokenizer import load_tokenizer
from worker.training.model.encoder import load_encoder
from worker.training.model.forward import Forward
from worker.training.packed.packed_layout import TOKEN_MULTIPLE
from worker.training.packed.packing import ATTENTION_NAME

PADDED = {"deberta", "deberta-v2", "deberta-v3", "mpnet"}
MAX_TOKENS = 48
WORDS = ("good", "film", "story", "long", "dull", "warm", "care", "why")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families")
    for family, build in ENCODERS.items():
        build(folder / family)
    return folder


def encode_uneven_text(base: Path, *, pairs: bool = False) -> EncodedText:
    """Encode rows of 2 to ``MAX_TOKENS`` tokens; the longest are truncated."""
    counts = [3, 60, 0, 17, 1, 1, 22, 40, 0, 9, 33, 2]
    texts = [
        " ".join(WORDS[(row + place) % len(WORDS)] for place in range(count))
        for row, count in enumerate(counts)
    ]
    seconds = [" ".join(text.split()[::-2]) for text in texts] if pairs else None
    examples = Examples(
        texts=texts, second_texts=seconds, labels=[row % 2 for row in range(len(texts))]
    )
    return encode_examples(examples, load_tokenizer(base), MAX_TOKENS, never_stop)


def compute_gradients(
    network: PreTrainedModel, logits: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    network.zero_grad()
    functional.cross_entropy(logits, labels).backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }


def assert_same_pass(network: PreTrainedModel, text: EncodedText, rows: list[int]) -> None:
    """Compare logits and gradients of the packed and the padded batch."""
    network.eval()
    forward = Forward(network)
    packed, padded = forward.build_batch(text, rows), text.build_padded_batch(rows)
    assert packed.layout is not None
    assert 0 <= packed.inputs["input_ids"].numel() - sum(text.list_lengths(rows)) < TOKEN_MULTIPLE
    assert torch.equal(packed.labels, padded.labels)
    ours, theirs = forward(packed), network(**padded.inputs).logits
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    packed_gradients, padded_gradients = (
        compute_gradients(network, logits, padded.labels) for logits in (ours, theirs)
    )
    assert packed_gradients.keys() == padded_gradients.keys()
    for name, gradient in padded_gradients.items():
        torch.testing.assert_close(packed_gradients[name], gradient, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("family", sorted(ENCODERS.keys() - PADDED))
def test_packed_and_padded_batches_have_equal_logits_and_gradients(
    family: str, models: Path
) -> None:
    for pairs in (False, True):
        text = encode_uneven_text(models / family, pairs=pairs)
        network = load_encoder(models / family, make_task(), init_seed=1)
        assert max(text.list_lengths(range(12))) == MAX_TOKENS
        assert_same_pass(network, text, [7, 2, 1, 0, 3, 4, 5, 6, 8, 9, 10, 11])
    assert_same_pass(network, text, [1])
    assert_same_pass(network, text, [8])
    assert_same_pass(network, text, [2, 8])


@pytest.mark.parametrize("family", sorted(PADDED))
def test_an_unsupported_family_is_padded(family: str, models: Path) -> None:
    forward = Forward(load_encoder(models / family, make_task(), init_seed=1))
    text = encode_uneven_text(models / family)
    batch = forward.build_batch(text, [2, 6])
    assert not forward.padding_free
    assert batch.layout is None
    assert batch.inputs["input_ids"].shape == (2, max(text.list_lengths([2, 6])))


def test_a_decoder_is_padded(models: Path) -> None:
    """Attention within rows does not support causal masks."""
    network = load_encoder(models / "bert", make_task(), init_seed=1)
    network.config.is_decoder = True
    assert not Forward(network).padding_free


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_modernbert_pools_as_configured(pooling: str, models: Path) -> None:
    network = load_encoder(models / "modernbert", make_task(), init_seed=1)
    network.config.classifier_pooling = pooling
    assert_same_pass(network, encode_uneven_text(models / "modernbert"), [7, 2, 1, 0, 3])


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta"])
def test_padding_tokens_spelled_in_a_text_get_the_familys_positions(
    family: str, models: Path
) -> None:
    tokenizer = load_tokenizer(models / family)
    texts = [
        f"good {tokenizer.pad_token} film",
        "a film",
        f"{tokenizer.pad_token} {tokenizer.pad_token} dull",
    ]
    text = encode_examples(
        Examples(texts=texts, second_texts=None, labels=[0, 1, 1]),
        tokenizer,
        MAX_TOKENS,
        never_stop,
    )
    assert tokenizer.pad_token_id in text.columns["input_ids"][0]
    assert_same_pass(load_encoder(models / family, make_task(), init_seed=1), text, [2, 0, 1])


def count_hooks(network: PreTrainedModel) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()
    )


def test_a_pass_has_no_side_effects(models: Path) -> None:
    """After a pass, even a failing one, the network can be used, copied and saved as before."""
    text = encode_uneven_text(models / "bert")
    network = load_encoder(models / "bert", make_task(), init_seed=1).eval()
    hooks = count_hooks(network)
    forward, rows = Forward(network), [1, 0, 2]
    padded = network(**text.build_padded_batch(rows).inputs).logits
    packed = forward(forward.build_batch(text, rows))
    broken = forward.build_batch(text, rows)
    broken.inputs["input_ids"][0, 0] = 10**6
    with pytest.raises(IndexError):
        forward(broken)
    assert torch.equal(network(**text.build_padded_batch(rows).inputs).logits, padded)
    assert count_hooks(network) == hooks
    assert network.config._attn_implementation != ATTENTION_NAME
    assert ATTENTION_NAME not in network.config.to_json_string()
    copy = Forward(deepcopy(network))
    assert torch.equal(copy(copy.build_batch(text, rows)), packed)


@pytest.mark.parametrize("family", ["bert", "distilbert", "modernbert"])
def test_dropout_of_packed_and_padded_passes_has_equal_mean_and_spread(
    family: str, models: Path
) -> None:
    """Compare the logits of the same rows over many draws at the family's rates (0.1)."""
    text, draws = encode_uneven_text(models / family), 400
    rows = [0, 3, 6] * draws  # every row has its own draw
    network = load_encoder(models / family, make_task(), init_seed=1)
    forward = Forward(network)
    forward.train()
    torch.manual_seed(3)
    with torch.no_grad():
        packed = forward(forward.build_batch(text, rows)).unflatten(0, (draws, 3))
        padded = network(**text.build_padded_batch(rows).inputs).logits.unflatten(0, (draws, 3))
    assert packed.std(dim=0).min() > 0
    standard_error = (packed.var(dim=0) / draws + padded.var(dim=0) / draws).sqrt()
    assert ((packed.mean(dim=0) - padded.mean(dim=0)).abs() < 4.5 * standard_error).all()
    ratio = packed.std(dim=0) / padded.std(dim=0)
    assert ratio.sub(1).abs().max() < 0.2  # the standard error of the ratio is 0.05


@pytest.mark.parametrize("family", ["bert", "roberta", "modernbert"])
def test_without_dropout_packed_and_padded_runs_learn_the_same(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With dropout the draws differ, so the recorded curves cannot show this."""
    base = ENCODERS[family](tmp_path / "base", dropout=0.0)
    recipe = make_recipe(max_steps=20, learning_rate=1e-3)
    packed = TrainedRun(make_spec(tmp_path, base, recipe=recipe))
    monkeypatch.setattr("worker.training.model.forward.is_padding_free", lambda _: False)
    padded = TrainedRun(make_spec(tmp_path, base, recipe=recipe))
    assert packed.started.environment["batches"] == "padding_free"
    assert padded.started.environment["batches"] == "padded"
    assert packed.losses == pytest.approx(padded.losses, abs=1e-5)
    for ours, theirs in zip(packed.evaluations, padded.evaluations, strict=True):
        assert ours.valid_loss == pytest.approx(theirs.valid_loss, abs=1e-5)
    assert packed.finished.trained_tokens == padded.finished.trained_tokens
