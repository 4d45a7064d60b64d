"""The best checkpoint of a run: kept in memory while training, then exported to a folder."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from shared.domain.naming import HEAD_WEIGHTS_FILE, WEIGHTS_FILE
from shared.domain.task import Label, Task
from shared.recipe import Recipe
from shared.recipe.fields import Select
from worker.training.data.split import Split
from worker.training.evaluation import EvaluationResult
from worker.training.model.average_candidates import AverageCandidates
from worker.training.model.earlier_config import add_earlier_names
from worker.training.model.pooled_classifier import PooledClassifier
from worker.training.model.pooled_export import save_pooled_classifier
from worker.training.model.transformers_logging import silence_transformers
from worker.training.model.weight_files import SupportsStateDict


class BestCheckpoint:
    """The best evaluation so far and a copy of its weights; the earlier one wins a tie.

    With ``select: last`` every evaluation replaces the one before. No copy is needed then: the
    last step is always evaluated, and the network itself has its weights.
    """

    def __init__(self, select: Select, candidates: AverageCandidates | None = None) -> None:
        self._keeps_copy = select != "last"
        self.candidates = candidates
        """The best checkpoints, some of which are averaged at the end; None unless asked for."""
        self._score = -math.inf
        self._weights: dict[str, Tensor] | None = None
        self.step = 0
        self._evaluation: EvaluationResult | None = None

    def offer_weights(
        self, step: int, evaluation: EvaluationResult, network: SupportsStateDict
    ) -> bool:
        """Record an evaluation of the network's current weights and return whether it is the best.

        An undefined score is never the best.
        """
        score = evaluation.result.score
        if self.candidates is not None:
            self.candidates.offer_weights(step, score, network)
        is_best = score is not None and score > self._score
        if is_best or self._evaluation is None or not self._keeps_copy:
            if self._keeps_copy:  # first, so that running out of memory leaves the record unchanged
                self._weights = {
                    name: tensor.detach().clone() for name, tensor in network.state_dict().items()
                }
            self.step, self._evaluation = step, evaluation
        if is_best and score is not None:
            self._score = score
        return is_best

    @property
    def score(self) -> float | None:
        """The best score so far, or None if no score was defined."""
        return None if self._score == -math.inf else self._score

    @property
    def weights(self) -> dict[str, Tensor] | None:
        """The copy of the chosen weights, or None if the network has them or none were chosen."""
        return self._weights

    def resume_from(
        self,
        step: int,
        score: float | None,
        evaluation: EvaluationResult | None,
        weights: dict[str, Tensor] | None,
    ) -> None:
        """Continue from a resume state; ``evaluation`` is None if nothing was chosen before."""
        self.step, self._evaluation, self._weights = step, evaluation, weights
        self._score = -math.inf if score is None else score

    def replace_evaluation(self, evaluation: EvaluationResult) -> None:
        """Replace the evaluation by one made in float32, or by that of the average."""
        self._evaluation = evaluation

    def restore_weights(self, network: PreTrainedModel) -> None:
        """Load the chosen weights into the network."""
        if self._weights is not None:
            network.load_state_dict(self._weights)

    @property
    def evaluation(self) -> EvaluationResult:
        """The evaluation of the chosen weights. Raises RuntimeError before the first evaluation."""
        if self._evaluation is None:
            raise RuntimeError("no checkpoint can be chosen before the first evaluation")
        return self._evaluation


def create_best_checkpoint(recipe: Recipe, output: Path) -> BestCheckpoint:
    """Create the record of a run; candidates for an average are kept in a folder of ``output``."""
    is_averaged = recipe.select == "greedy_average"
    candidates = AverageCandidates(output / "candidates") if is_averaged else None
    return BestCheckpoint(recipe.select, candidates)


def export_model(
    network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, task: Task, folder: Path
) -> str:
    """Write config, weights (safetensors) and tokenizer; return the sha256 of the weights.

    The digest is that of the weights file, followed by the head's file where there is one. The
    tokenizer's length limit is set to the task's, so that ``truncation=True`` truncates texts
    as training did.

    Raise FileNotFoundError if the folder is deleted meanwhile: each library that writes into it
    makes it again, and would leave a model without weights.
    """
    tokenizer.model_max_length = task.max_seq_length
    with silence_transformers():
        if isinstance(network, PooledClassifier):
            save_pooled_classifier(network, folder, task.max_seq_length)
        else:
            # under today's names, whatever names the base model's file had: the graph and other
            # servers know no others
            network.save_pretrained(folder, save_original_format=False)
        tokenizer.save_pretrained(folder)
    add_earlier_names(network.config, folder)
    names = [WEIGHTS_FILE]
    if isinstance(network, PooledClassifier):
        names.append(HEAD_WEIGHTS_FILE)
    digest = hashlib.sha256()
    for name in names:
        with (folder / name).open("rb") as weights:
            hashlib.file_digest(weights, lambda: digest)
    return digest.hexdigest()


def export_predictions(
    evaluations: Mapping[str, tuple[Split, EvaluationResult]], task: Task, path: Path
) -> None:
    """Write every prediction of the chosen checkpoint, by split.

    ``rows`` is a list of ``{"split", "row", "label", "predicted", "probabilities"}``. ``row``
    counts from 1 within the split's file. Label and prediction are a name, a list of names or a
    number, depending on the task. ``probabilities`` are in the order of the labels, and empty for
    regression. ``columns`` names the columns of the equivalent flat table.
    """
    rows = [
        row
        for name, (split, evaluation) in evaluations.items()
        for row in _iterate_prediction_rows(name, split, evaluation, task.label_names)
    ]
    columns = [
        "split",
        "row",
        "label",
        "predicted",
        *(f"probability of {name}" for name in task.label_names),
    ]
    path.write_text(
        json.dumps({"columns": columns, "rows": rows}, ensure_ascii=False), encoding="utf-8"
    )


def _iterate_prediction_rows(
    name: str, split: Split, evaluation: EvaluationResult, label_names: list[str]
) -> Iterator[dict[str, object]]:
    for row, predicted, probabilities in zip(
        split.rows, evaluation.predictions, evaluation.probabilities, strict=True
    ):
        yield {
            "split": name,
            "row": row + 1,
            "label": _format_label(split.text.labels[row], label_names),
            "predicted": _format_label(predicted, label_names),
            "probabilities": probabilities,
        }


def _format_label(label: Label, names: list[str]) -> str | list[str] | float:
    match label:
        case tuple():
            return [names[index] for index in label]
        case int():
            return names[label]
        case float():
            return label
