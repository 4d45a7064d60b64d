"""Greedy average of a run's checkpoints, after its last step (Wortsman et al. 2022, recipe 1).

The paper averages the models of several runs; here they are the best checkpoints of one run, which
lie close together. They are tried from the best one down, and each stays in the average only if the
validation score does not fall, so the average never scores below the best checkpoint alone.
"""

from collections.abc import Callable
from typing import NamedTuple

from transformers import PreTrainedModel

from worker.training.evaluation import EvaluationResult
from worker.training.model.average_candidates import AverageCandidates


class GreedyAverage(NamedTuple):
    """The checkpoints that were averaged, and the evaluation of their average."""

    steps: list[int]
    """Steps of the averaged checkpoints, best first; at least one."""
    evaluation: EvaluationResult
    """Evaluation of the average on the validation rows."""


def load_greedy_average(
    network: PreTrainedModel,
    candidates: AverageCandidates,
    best: EvaluationResult,
    evaluate: Callable[[], EvaluationResult],
) -> GreedyAverage:
    """Choose the average, load it into the network and delete the candidates' files.

    ``network`` has the weights of the best candidate, and ``best`` is their evaluation in float32.
    ``evaluate`` scores the network's current weights on the same rows. There must be a candidate.
    """
    chosen = GreedyAverage(candidates.steps[:1], best)
    for step in candidates.steps[1:]:
        steps = [*chosen.steps, step]
        network.load_state_dict(candidates.average_weights(steps, network.device))
        evaluation = evaluate()
        if _is_as_good(evaluation, chosen.evaluation):
            chosen = GreedyAverage(steps, evaluation)
    network.load_state_dict(candidates.average_weights(chosen.steps, network.device))
    candidates.delete_files()
    return chosen


def _is_as_good(evaluation: EvaluationResult, chosen: EvaluationResult) -> bool:
    score, chosen_score = evaluation.result.score, chosen.result.score
    return score is not None and (chosen_score is None or score >= chosen_score)
