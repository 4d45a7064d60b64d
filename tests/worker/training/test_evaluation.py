"""Evaluation scores every row in its place; degenerate results are recognized."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from shared.datasets import Examples
from shared.metrics import Scoring
from tests.worker.training.runs import make_review_rows, make_task, never_stop
from worker.training.data.split import Split
from worker.training.data.tokenization import encode_examples
from worker.training.data.tokenizer import load_tokenizer
from worker.training.errors import StopRequested
from worker.training.evaluation import evaluate_split
from worker.training.model.encoder import load_encoder
from worker.training.model.forward import Forward


def encode_reviews(base: Path, count: int = 50) -> Split:
    rows = make_review_rows(count)[1:]
    examples = Examples(
        texts=[row[0] for row in rows],
        second_texts=None,
        labels=[int(row[1] == "yes") for row in rows],
    )
    return Split(
        encode_examples(examples, load_tokenizer(base), 32, never_stop), list(range(3, count))
    )


def test_every_row_has_its_own_prediction(tiny_bert: Path) -> None:
    network, split = load_encoder(tiny_bert, make_task(), 0), encode_reviews(tiny_bert)
    with torch.no_grad():  # a bias at the median of the logits, so that predictions differ
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

    def check_stop() -> None:
        if next(calls):
            raise StopRequested

    forward = Forward(load_encoder(tiny_bert, make_task(), 0))
    with pytest.raises(StopRequested):
        evaluate_split(
            forward, encode_reviews(tiny_bert, 400), Scoring(make_task(), "accuracy"), check_stop
        )


@pytest.mark.parametrize(
    ("labels", "predictions", "score", "degenerate"),
    [
        ([0, 1, 0, 1], [1, 1, 1, 1], 0.9, True),  # constant predictions, whatever the score
        ([0, 1, 0, 1], [1, 0, 1, 1], 0.5, True),  # no better than the constant prediction
        ([0, 1, 0, 1], [1, 0, 1, 1], 0.4, True),
        ([0, 1, 0, 1], [1, 0, 1, 1], 0.5 + 1e-12, True),  # better only by rounding
        ([0, 1, 0, 1], [1, 0, 1, 1], 0.51, False),
        ([0, 1, 1, 1], [1, 0, 1, 1], 0.7, True),  # the constant prediction reaches 0.75
        ([0, 1, 0, 1], [1, 0, 1, 1], None, True),
    ],
)
def test_degenerate_results(
    labels: list[int], predictions: list[int], score: float | None, degenerate: bool
) -> None:
    assert Scoring(make_task(), "accuracy").is_degenerate(labels, predictions, score) is degenerate


def test_matthews_correlation_must_be_positive() -> None:
    scoring = Scoring(make_task(), "mcc")
    assert scoring.is_degenerate([0, 1, 0, 1], [1, 0, 1, 1], -0.1)
    # with constant labels the Matthews correlation is undefined, so there is no floor
    assert not scoring.is_degenerate([1, 1], [1, 0], 0.1)


def test_the_best_constant_prediction_depends_on_the_metric(tiny_bert: Path) -> None:
    # rows 3 to 49 of 50, of which the first 25 are positive
    labels = encode_reviews(tiny_bert).list_labels()

    def score_constant(metric: str, positive_label: str = "yes") -> float | None:
        task = make_task(positive_label=positive_label)
        return Scoring(task, metric).compute_constant_score(labels)

    assert score_constant("accuracy") == pytest.approx(25 / 47)
    assert score_constant("mcc") == 0.0
    assert score_constant("f1") == pytest.approx(2 * 22 / (2 * 22 + 25))
    assert score_constant("f1", positive_label="no") == pytest.approx(50 / 72)
