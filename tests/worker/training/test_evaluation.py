"""Evaluation: the numbers are those of the rows in their order; what counts as degenerate."""

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from shared.datasets import Examples
from shared.metrics import Scoring
from tests.worker.training.runs import make_review_rows, make_task, never_stop
from worker.training.data.split import Split
from worker.training.data.tokenization import encode_examples, load_tokenizer
from worker.training.errors import StopRequested
from worker.training.evaluation import evaluate_split
from worker.training.model.encoder import load_encoder
from worker.training.model.forward import Forward


def reviews(base: Path, count: int = 50) -> Split:
    rows = make_review_rows(count)[1:]
    examples = Examples(
        texts=[row[0] for row in rows],
        second_texts=None,
        labels=[int(row[1] == "yes") for row in rows],
    )
    return Split(
        encode_examples(examples, load_tokenizer(base), 32, never_stop), list(range(3, count))
    )


def test_every_row_has_its_own_answer(tiny_bert: Path) -> None:
    network, split = load_encoder(tiny_bert, make_task(), 0), reviews(tiny_bert)
    with torch.no_grad():  # a bias in the middle of the rows' logits, so that their answers differ
        network.get_parameter("classifier.weight").mul_(20)
        middle = (
            network(**split.text.build_padded_batch(split.rows).inputs).logits.median(dim=0).values
        )
        network.get_parameter("classifier.bias").sub_(middle)
    found = evaluate_split(Forward(network), split, Scoring(make_task(), "mcc"), never_stop)
    assert not network.training
    logits = torch.cat(
        [
            network(**split.text.build_padded_batch([row]).inputs).logits.detach()
            for row in split.rows
        ]
    )
    assert found.predictions == logits.argmax(1).tolist()
    assert len(set(found.predictions)) == 2
    torch.testing.assert_close(
        torch.tensor(found.probabilities), logits.softmax(1), rtol=1e-4, atol=1e-5
    )
    expected = functional.cross_entropy(logits, torch.tensor(split.list_labels())).item()
    assert found.result.loss == pytest.approx(expected, rel=1e-5)
    assert found.result.score == found.result.metrics["mcc"]
    assert found.result.confusion is not None
    assert sum(map(sum, found.result.confusion)) == len(split.rows)


def test_evaluation_can_be_stopped_between_batches(tiny_bert: Path) -> None:
    calls = iter([False, True])

    def pause() -> None:
        if next(calls):
            raise StopRequested

    forward = Forward(load_encoder(tiny_bert, make_task(), 0))
    with pytest.raises(StopRequested):
        evaluate_split(forward, reviews(tiny_bert, 400), Scoring(make_task(), "accuracy"), pause)


@pytest.mark.parametrize(
    ("labels", "predictions", "score", "degenerate"),
    [
        ([0, 1, 0, 1], [1, 1, 1, 1], 0.9, True),  # one label only, whatever the score
        ([0, 1, 0, 1], [1, 0, 1, 1], 0.5, True),  # no better than the constant answer
        ([0, 1, 0, 1], [1, 0, 1, 1], 0.4, True),
        ([0, 1, 0, 1], [1, 0, 1, 1], 0.5 + 1e-12, True),  # better by rounding
        ([0, 1, 0, 1], [1, 0, 1, 1], 0.51, False),
        ([0, 1, 1, 1], [1, 0, 1, 1], 0.7, True),  # the constant answer reaches 0.75
        ([0, 1, 0, 1], [1, 0, 1, 1], None, True),
    ],
)
def test_what_is_degenerate(
    labels: list[int], predictions: list[int], score: float | None, degenerate: bool
) -> None:
    assert Scoring(make_task(), "accuracy").is_degenerate(labels, predictions, score) is degenerate


def test_matthews_must_be_above_zero_if_it_is_defined_for_a_constant_answer() -> None:
    scoring = Scoring(make_task(), "mcc")
    assert scoring.is_degenerate([0, 1, 0, 1], [1, 0, 1, 1], -0.1)
    assert not scoring.is_degenerate(
        [1, 1], [1, 0], 0.1
    )  # no floor: among constant labels Matthews is undefined


def test_the_constant_answer_is_that_of_the_metric(tiny_bert: Path) -> None:
    split = reviews(tiny_bert)  # rows 3 to 49 of 50, the first 25 of which are positive
    assert Scoring(make_task(), "accuracy").compute_constant_score(
        split.list_labels()
    ) == pytest.approx(25 / 47)
    assert Scoring(make_task(), "mcc").compute_constant_score(split.list_labels()) == 0.0
    assert Scoring(make_task(), "f1").compute_constant_score(split.list_labels()) == pytest.approx(
        2 * 22 / (2 * 22 + 25)
    )
    assert math.isclose(
        Scoring(make_task(positive_label="no"), "f1").compute_constant_score(split.list_labels())
        or 0,
        50 / 72,
    )
