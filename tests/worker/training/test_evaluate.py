"""Evaluation: the numbers are those of the rows in their order; what counts as degenerate."""

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from shared.datasets import Examples
from tests.worker.training.runs import make_task, review_rows
from worker.training.encoder import load_encoder
from worker.training.errors import Stopped
from worker.training.evaluate import Evaluated, evaluate, is_degenerate, scoring
from worker.training.events import SplitResult
from worker.training.split import Split
from worker.training.text import encode, load_tokenizer


def go_on() -> None:
    """Nobody wants to stop."""


def reviews(base: Path, count: int = 50) -> Split:
    rows = review_rows(count)[1:]
    examples = Examples(texts=[row[0] for row in rows], pairs=None, labels=[int(row[1] == "yes") for row in rows])
    return Split(encode(examples, load_tokenizer(base), 32, go_on), list(range(3, count)))


def test_every_row_has_its_own_answer(tiny_bert: Path) -> None:
    network, split = load_encoder(tiny_bert, make_task(), 0), reviews(tiny_bert)
    with torch.no_grad():  # a bias in the middle of the rows' logits, so that their answers differ
        network.get_parameter("classifier.weight").mul_(20)
        middle = network(**split.text.batch(split.rows).inputs).logits.median(dim=0).values
        network.get_parameter("classifier.bias").sub_(middle)
    found = evaluate(network, split, scoring(make_task(), "mcc"), go_on)
    assert not network.training
    logits = torch.cat([network(**split.text.batch([row]).inputs).logits.detach() for row in split.rows])
    assert found.predictions == logits.argmax(1).tolist()
    assert len(set(found.predictions)) == 2
    torch.testing.assert_close(torch.tensor(found.probabilities), logits.softmax(1), rtol=1e-4, atol=1e-5)
    expected = functional.cross_entropy(logits, torch.tensor(split.labels())).item()
    assert found.result.loss == pytest.approx(expected, rel=1e-5)
    assert found.result.score == found.result.metrics["mcc"]
    assert found.result.confusion is not None
    assert sum(map(sum, found.result.confusion)) == len(split.rows)


def test_evaluation_can_be_stopped_between_batches(tiny_bert: Path) -> None:
    calls = iter([False, True])

    def pause() -> None:
        if next(calls):
            raise Stopped

    with pytest.raises(Stopped):
        evaluate(load_encoder(tiny_bert, make_task(), 0), reviews(tiny_bert), scoring(make_task(), "accuracy"), pause)


def answered(predictions: list[int], score: float | None) -> Evaluated:
    result = SplitResult(loss=0.5, metrics={"mcc": score}, score=score, confusion=[])
    return Evaluated(result, predictions, [[0.5, 0.5] for _ in predictions])


@pytest.mark.parametrize(
    ("predictions", "score", "constant", "degenerate"),
    [
        ([1, 1, 1, 1], 0.9, 0.5, True),  # one label only, whatever the score
        ([1, 0, 1, 1], 0.5, 0.5, True),  # no better than the constant answer
        ([1, 0, 1, 1], 0.4, 0.5, True),
        ([1, 0, 1, 1], 0.5 + 1e-12, 0.5, True),  # better by rounding
        ([1, 0, 1, 1], 0.51, 0.5, False),
        ([1, 0, 1, 1], None, 0.5, True),
        ([1, 0, 1, 1], 0.1, None, False),
        ([1, 0, 1, 1], -0.1, 0.0, True),
    ],
)
def test_what_is_degenerate(
    predictions: list[int], score: float | None, constant: float | None, degenerate: bool
) -> None:
    assert is_degenerate(answered(predictions, score), constant) is degenerate


def test_the_constant_answer_is_that_of_the_metric(tiny_bert: Path) -> None:
    split = reviews(tiny_bert)  # rows 3 to 49 of 50, the first 25 of which are positive
    assert scoring(make_task(), "accuracy").constant_answer(split) == pytest.approx(25 / 47)
    assert scoring(make_task(), "mcc").constant_answer(split) == 0.0
    assert scoring(make_task(), "f1").constant_answer(split) == pytest.approx(2 * 22 / (2 * 22 + 25))
    assert math.isclose(scoring(make_task(positive_label="no"), "f1").constant_answer(split) or 0, 50 / 72)
