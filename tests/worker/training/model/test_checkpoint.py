"""Which evaluation wins, and what is kept of it."""

from pathlib import Path
from typing import Literal

import pytest
import torch

from tests.worker.training.runs import make_task
from worker.training.evaluation import EvaluationResult
from worker.training.events import SplitResult
from worker.training.model.checkpoint import BestCheckpoint
from worker.training.model.encoder import load_encoder


def scored(score: float | None) -> EvaluationResult:
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
def test_a_tie_keeps_the_earlier_and_last_keeps_the_last(
    select: Literal["best_checkpoint", "last"],
    scores: list[float | None],
    chosen: int,
    is_best: list[bool],
    tiny_bert: Path,
) -> None:
    network, best = load_encoder(tiny_bert, make_task(), 0), BestCheckpoint(select)
    found = []
    for step, score in enumerate(scores, start=1):
        with torch.no_grad():
            network.get_parameter("classifier.bias").fill_(step)
        found.append(best.offer_weights(step, scored(score), network))
    assert found == is_best
    best.restore_weights(network)
    assert best.step == chosen
    assert best.evaluation.result.score == scores[chosen - 1]
    assert network.get_parameter("classifier.bias").tolist() == [chosen, chosen]


def test_without_an_evaluation_there_is_nothing_to_choose() -> None:
    with pytest.raises(RuntimeError, match="no evaluation"):
        _ = BestCheckpoint("last").evaluation
