"""A text that somebody tries on a job's model: what is sent, and the answer in words."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from pydantic import ValidationError
from starlette.datastructures import FormData

from api.classifications.schemas import (
    ClassificationObject,
    ClassificationRequest,
    ClassificationTarget,
    TextPair,
)
from shared.domain.errors import InvalidRequest
from shared.domain.task import Task, TaskType

MAX_SHOWN_SCORES: Final = 20


@dataclass(frozen=True)
class Trial:
    """What the form had."""

    text: str = ""
    text_pair: str = ""
    asks_all: bool = False
    """Whether all kept models are to answer."""

    @classmethod
    def from_form(cls, form: FormData) -> "Trial":
        # not stripped: blanks are part of a text
        texts = [form.get(name, "") for name in ("text", "text_pair")]
        first, second = (text if isinstance(text, str) else "" for text in texts)
        return cls(first, second, bool(form.get("ensemble")))

    def build_request(self, model: str, task: Task) -> ClassificationRequest:
        """Return the request to the model. Raises InvalidRequest for an empty text."""
        is_pair = task.text_pair_column is not None
        try:
            given = TextPair(text_a=self.text, text_b=self.text_pair) if is_pair else self.text
            return ClassificationRequest(model=model, input=given, ensemble=self.asks_all)
        except ValidationError:
            wanted = "Enter both texts." if is_pair else "Enter a text."
            raise InvalidRequest(wanted, param="text") from None


class LabelScore(NamedTuple):
    """A label with its probability."""

    label: str
    score: float
    is_predicted: bool


@dataclass(frozen=True)
class Answer:
    """What the model said."""

    target: ClassificationTarget
    task: Task
    members: int
    """Models that answered."""

    @classmethod
    def from_json(cls, content: bytes, task: Task) -> "Answer":
        found = ClassificationObject.model_validate_json(content)
        [result] = found.results
        [target] = result.values()
        return cls(target, task, len(found.members))

    @property
    def scores(self) -> list[LabelScore]:
        """The most probable labels; none for a regression."""
        if self.task.type is TaskType.REGRESSION:
            return []
        predicted = self.target.predicted
        names = predicted if isinstance(predicted, list) else [predicted]
        ordered = sorted(self.target.scores.items(), key=lambda item: -item[1])
        return [
            LabelScore(name, score, name in names) for name, score in ordered[:MAX_SHOWN_SCORES]
        ]

    @property
    def left_out(self) -> int:
        """Labels that are not shown."""
        return max(0, len(self.target.scores) - MAX_SHOWN_SCORES)

    @property
    def disagreement(self) -> str:
        """How far the seeds agree, in words; empty for a single model."""
        found = self.target.disagreement
        if found is None:
            return ""
        spread = f"The standard deviation of their scores is {found.score_std:.3f}."
        if found.vote_entropy is None:
            return f"{self.members} seeds answered. {spread}"
        if found.vote_entropy == 0:
            return f"All {self.members} seeds give this answer. {spread}"
        return (
            f"The {self.members} seeds do not agree: the entropy of their votes is "
            f"{found.vote_entropy:.2f}, where 1 is an even split. {spread}"
        )
