"""Made-up results of runs: the service's own scores of random predictions, as a worker stores
them.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.database_rows import Row, get_max_steps
from shared.domain.run_evidence import Evidence
from shared.domain.task import Task
from shared.metrics.run_result import SplitResult, TrainedResult
from shared.metrics.scoring import Scoring

OUTCOME_COUNT = 60
"""Number of different results that the runs draw from."""
MODULE_GROUPS = ("embeddings", *(f"layer.{block}" for block in range(6)), "pooler", "head")


class Outcome(NamedTuple):
    """The result of one run."""

    result: TrainedResult
    score: float
    degenerate: bool
    metrics: dict[str, float | None]


def create_outcomes(job: Row, rng: random.Random) -> list[Outcome]:
    """Create results that runs of the job could have, from degenerate to nearly perfect."""
    task = Task.model_validate(job["task"])
    answers = range(len(task.label_names))
    labels = [rng.choice(answers) for _ in range(job["dataset"].rows.validation)]
    outcomes = []
    for place in range(OUTCOME_COUNT):
        accuracy = 0.0 if place % 20 == 0 else 0.6 + 0.3 * place / OUTCOME_COUNT
        predictions = [label if rng.random() < accuracy else 0 for label in labels]
        outcomes.append(_create_outcome(job, task, labels, predictions))
    return outcomes


def _create_outcome(
    job: Row, task: Task, labels: Sequence[int], predictions: Sequence[int]
) -> Outcome:
    scoring = Scoring(task, job["metric"])
    split = _score_predictions(scoring, job["metric"], labels, predictions)
    shares = {
        name: predictions.count(index) / len(labels) for index, name in enumerate(task.label_names)
    }
    score = split.score or 0.0
    evidence = _build_evidence(job, score, shares)
    result = TrainedResult(validation=split, test=None, evidence=evidence)
    degenerate = scoring.is_degenerate(labels, predictions, score)
    return Outcome(result, score, degenerate, split.metrics)


def _score_predictions(
    scoring: Scoring, metric: str, labels: Sequence[int], predictions: Sequence[int]
) -> SplitResult:
    metrics = scoring.compute_scores(labels, predictions)
    score = metrics[metric] or 0.0
    return SplitResult(
        loss=1.4 - score,
        metrics=metrics,
        score=score,
        confusion=scoring.build_confusion_matrix(labels, predictions),
        per_class=scoring.compute_class_scores(labels, predictions),
    )


def _build_evidence(job: Row, score: float, answer_shares: dict[str, float]) -> Evidence:
    steps, loss = get_max_steps(job), 1.4 - score
    return Evidence(
        chance_loss=1.33,
        opening_loss=1.35,
        closing_loss=loss,
        highest_loss=1.35,
        highest_loss_step=5,
        lowest_validation_loss=loss,
        lowest_validation_step=steps,
        final_validation_loss=loss,
        vanished=None,
        distance=dict.fromkeys(MODULE_GROUPS, 0.01),
        answers=answer_shares,
        truncated=0.0,
    )
