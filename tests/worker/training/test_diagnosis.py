"""Each sentence is said when it is true, with its evidence, and not otherwise."""

import math

import torch

from shared.datasets import Examples
from shared.metrics import Scoring
from tests.worker.training.runs import make_recipe, make_task
from worker.training.diagnosis import diagnose
from worker.training.evaluate import Evaluated
from worker.training.events import SplitResult
from worker.training.split import Split
from worker.training.text import EncodedText


def split(labels: list[int], truncated: int = 0) -> Split:
    cut = [index < truncated for index in range(len(labels))]
    examples = Examples(texts=["a"] * len(labels), pairs=None, labels=labels)
    text = EncodedText({"input_ids": [torch.tensor([1, 2])] * len(labels)}, {"input_ids": 0}, examples, cut)
    return Split(text, range(len(labels)))


def sentences(
    *,
    losses: list[float],
    predictions: list[int],
    score: float | None,
    train: Split | None = None,
    metric: str = "accuracy",
) -> list[str]:
    chosen = Evaluated(SplitResult(loss=0.1, metrics={}, score=score, confusion=[]), predictions, [])
    train = train or split([0, 1] * 20)
    return diagnose(losses, train, split([0, 1] * 5), chosen, make_recipe(), Scoring(make_task(), metric))


FALLING = [0.7 * 0.9**step for step in range(40)]


def test_a_sound_run_has_no_diagnosis() -> None:
    assert sentences(losses=FALLING, predictions=[0, 1] * 5, score=1.0) == []


def test_one_label_only() -> None:
    found = sentences(losses=FALLING, predictions=[1] * 10, score=0.5)
    assert found[0] == "It answers 'yes' to every one of the 10 validation rows."
    assert found[1] == "Its accuracy on the validation rows is 0.500; the best constant answer reaches 0.500."


def test_an_undefined_score() -> None:
    found = sentences(losses=FALLING, predictions=[0, 1] * 5, score=None, metric="mcc")
    assert found == ["Its mcc on the validation rows is undefined."]


def test_a_loss_at_chance_knows_the_labels_frequencies() -> None:
    [balanced] = sentences(losses=[0.69] * 40, predictions=[0, 1] * 5, score=1.0)
    assert "over the last 4 of 40 steps it was 0.690" in balanced
    assert "costs 0.693" in balanced
    skewed = split([0] * 36 + [1] * 4)
    chance = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    [found] = sentences(losses=[chance] * 40, predictions=[0, 1] * 5, score=1.0, train=skewed)
    assert f"costs {chance:.3f}" in found
    assert sentences(losses=[0.2] * 40, predictions=[0, 1] * 5, score=1.0, train=skewed) == []


def test_much_truncation_is_said_from_a_tenth_on() -> None:
    [found] = sentences(losses=FALLING, predictions=[0, 1] * 5, score=1.0, train=split([0, 1] * 20, truncated=10))
    assert found == "25% of the training rows are longer than 32 tokens and were cut."
    assert sentences(losses=FALLING, predictions=[0, 1] * 5, score=1.0, train=split([0, 1] * 20, truncated=4)) == []
