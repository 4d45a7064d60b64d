"""Choice of the best checkpoint, and the weights that are kept for it."""

from pathlib import Path
from typing import Literal

import pytest
import torch

from shared.metrics.run_result import SplitResult
from tests.worker.training.runs import make_task
from worker.training.evaluation import EvaluationResult
from worker.training.model.checkpoint import BestCheckpoint
from worker.training.model.encoder import load_encoder


def make_evaluation(score: float | None) -> EvaluationResult:
    return EvaluationResult(
        SplitResult(loss=0.5, metrics={}, score=score, confusion=[]),
        [0, 1],
        [[1.0, 0.0], [0.0, 1.0]],
    )


@pytest.mark.parametrize(
    ("select", "scores", "chosen", "is_best"),
    [
        ("best_checkpoint", [0.5, 0.7, 0.7, 0.6], 2, [True, True, False, False]),
        ("best_checkpoint", [None, None], 1, [False, False]),
        ("best_checkpoint", [None, -0.2, None], 2, [False, True, False]),
        ("last", [0.5, 0.7, 0.6], 3, [True, True, False]),
    ],
)
def test_the_earlier_wins_a_tie_and_select_last_takes_the_last(
    select: Literal["best_checkpoint", "last"],
    scores: list[float | None],
    chosen: int,
    is_best: list[bool],
    tiny_bert: Path,
) -> None:
    network, best = load_encoder(tiny_bert, make_task(), 0), BestCheckpoint(select)
    results = []
    for step, score in enumerate(scores, start=1):
        with torch.no_grad():
            network.get_parameter("classifier.bias").fill_(step)
        results.append(best.offer_weights(step, make_evaluation(score), network))
    assert results == is_best
    best.restore_weights(network)
    assert best.step == chosen
    assert best.evaluation.result.score == scores[chosen - 1]
    assert network.get_parameter("classifier.bias").tolist() == [chosen, chosen]


def test_without_an_evaluation_no_checkpoint_exists() -> None:
    with pytest.raises(RuntimeError, match="before the first evaluation"):
        _ = BestCheckpoint("last").evaluation
