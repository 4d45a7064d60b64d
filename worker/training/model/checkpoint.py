"""The chosen weights: kept in memory while the run goes on, written as a ``transformers``
folder at its end.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from shared.domain.task import Label, Task
from worker.training.data.split import Split
from worker.training.evaluation import EvaluationResult
from worker.training.model.transformers_logging import silence_transformers


class SupportsStateDict(Protocol):
    """A network, or one seed's share of a stack of them."""

    def state_dict(self) -> dict[str, Any]: ...


class BestCheckpoint:
    """The best evaluation so far and a copy of the weights it was made with; a tie keeps the
    earlier.

    Under ``select: last`` every evaluation takes the place of the one before, and no copy is
    needed: the network itself holds the weights of the last step, which is always an
    evaluation's.
    """

    def __init__(self, select: Literal["best_checkpoint", "last"]) -> None:
        self._keeps_copy = select == "best_checkpoint"
        self._score = -math.inf
        self._weights: dict[str, Tensor] | None = None
        self.step = 0
        self._evaluation: EvaluationResult | None = None

    def offer_weights(
        self, step: int, evaluation: EvaluationResult, network: SupportsStateDict
    ) -> bool:
        """Take note of an evaluation of the network as it is; returns whether it is the best so
        far (an undefined score never is).
        """
        score = evaluation.result.score
        is_best = score is not None and score > self._score
        if is_best or self._evaluation is None or not self._keeps_copy:
            if (
                self._keeps_copy
            ):  # first, so that nothing is noted where memory does not suffice for it
                self._weights = {
                    name: tensor.detach().clone() for name, tensor in network.state_dict().items()
                }
            self.step, self._evaluation = step, evaluation
        if is_best and score is not None:
            self._score = score
        return is_best

    @property
    def score(self) -> float | None:
        """The best score so far; None before there was a defined one."""
        return None if self._score == -math.inf else self._score

    @property
    def weights(self) -> dict[str, Tensor] | None:
        """The copy of the chosen weights; None where the network itself has them, or nothing
        was chosen yet.
        """
        return self._weights

    def resume_from(
        self,
        step: int,
        score: float | None,
        evaluation: EvaluationResult | None,
        weights: dict[str, Tensor] | None,
    ) -> None:
        """Go on from a state that was kept; ``evaluated`` is None where nothing had been chosen
        yet.
        """
        self.step, self._evaluation, self._weights = step, evaluation, weights
        self._score = -math.inf if score is None else score

    def replace_evaluation(self, evaluation: EvaluationResult) -> None:
        """What the chosen weights answer in float32, where they were chosen by what they answer
        in less.
        """
        self._evaluation = evaluation

    def restore_weights(self, network: PreTrainedModel) -> None:
        """Give the network the chosen weights."""
        if self._weights is not None:
            network.load_state_dict(self._weights)

    @property
    def evaluation(self) -> EvaluationResult:
        """The evaluation that the chosen weights had when they were the network's."""
        if self._evaluation is None:
            raise RuntimeError("no evaluation was made, so there is nothing to choose from")
        return self._evaluation


def export_model(
    network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, task: Task, folder: Path
) -> str:
    """Write config, weights (safetensors) and tokenizer; returns the sha256 of the weights'
    file.

    The tokenizer's limit becomes the task's, so that ``truncation=True`` cuts texts where
    training did.
    """
    tokenizer.model_max_length = task.max_seq_length
    with silence_transformers():
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    with (folder / "model.safetensors").open("rb") as weights:
        return hashlib.file_digest(weights, "sha256").hexdigest()


def export_predictions(
    answers: Mapping[str, tuple[Split, EvaluationResult]], task: Task, path: Path
) -> None:
    """Write every answer of the chosen checkpoint, by split.

    ``rows`` is a list of ``{"split", "row", "label", "predicted", "probabilities"}``: ``row``
    counts the rows of the file that the split was taken from, from 1; label and prediction are
    a name, a list of names, or a number, as the task has it; ``probabilities`` are in the order
    of the labels, none for a regression. ``columns`` names the columns of the same as a flat
    table.
    """
    rows = [
        {
            "split": name,
            "row": row + 1,
            "label": _format_label(split.text.labels[row], task.label_names),
            "predicted": _format_label(predicted, task.label_names),
            "probabilities": probabilities,
        }
        for name, (split, evaluated) in answers.items()
        for row, predicted, probabilities in zip(
            split.rows, evaluated.predictions, evaluated.probabilities, strict=True
        )
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


def _format_label(label: Label, names: list[str]) -> str | list[str] | float:
    match label:
        case tuple():
            return [names[index] for index in label]
        case int():
            return names[label]
        case float():
            return label
