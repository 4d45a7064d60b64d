"""What simpler models reach on a job's rows, so that nobody fine-tunes an encoder for what word counts can do.

``tfidf_logistic_regression`` (``tfidf_ridge`` for regression) never sees the encoder: a linear model of weighted word counts.
``linear_probe`` never trains it: a linear model of its frozen last hidden states, averaged over the tokens and standardised, as in
probing studies (Alain & Bengio 2016). Pairs reach the encoder joined, as in training.

Both are fitted on the training rows alone, penalties chosen there too (``linear.py``), and scored once on the job's validation and
test rows by its own metric. The recipe plays no part: no class weights, no seed. On a CPU the same job has the same scores.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.preprocessing import StandardScaler

from shared.datasets import folds_of
from shared.domain.task import Label, Task, TaskType
from shared.metrics import Scoring
from worker.training.baselines.features import TfIdf, frozen_states
from worker.training.baselines.linear import Array, Features, evenly, fit_linear
from worker.training.data.split import Split, Splits, load_splits
from worker.training.data.tokenization import EncodedText, TextCache
from worker.training.errors import Stopped
from worker.training.events import BaselineScore, BaselinesScored
from worker.training.model.encoder import load_encoder
from worker.training.optim.objective import targets
from worker.training.seeding import make_deterministic
from worker.training.spec import DataSpec

MAX_ROWS = 10_000
"""Most training rows to fit on: a probe of as many costs less than a tenth of what one run of 320 steps computes."""
MAX_ANSWERS = 1_000_000
"""Rows times outputs: with very many labels fewer rows, but at least ``MIN_ROWS``."""
MIN_ROWS = 2_000
MAX_FEATURES = 50_000
MAX_COEFFICIENTS = 2_000_000
"""Features times outputs."""
NO_SEED = 0  # the probe reads the encoder below the head, whatever is drawn for that


@dataclass(frozen=True)
class Bench:
    """The rows to fit on, the rows to answer, and how answers are judged."""

    splits: Splits
    judge: Scoring
    pause: Callable[[], None]

    def scores(
        self, make_features: Callable[[], Features], inputs_of: Callable[[Split], Array]
    ) -> dict[str, float | None]:
        """Of a linear model of these features of these inputs, by split."""
        train, task = self.splits.train, self.judge.task
        model = fit_linear(
            make_features,
            inputs_of(train),
            targets_of(train, task),
            task.type,
            self._score,
            self.pause,
        )
        return {
            name: self._score(targets_of(split, task), model.predict(inputs_of(split)))
            for name, split in self.splits.present().items()
            if name != "train"
        }

    def _score(self, targets: Array, answers: Array) -> float | None:
        return self.judge.scores(_as_labels(targets), _as_labels(answers))[self.judge.metric]


def score_baselines(
    spec: DataSpec, should_stop: Callable[[], bool], cache: TextCache | None = None
) -> Iterator[BaselinesScored]:
    """Fit the baselines and score them: one event, at the end.

    Under k-fold every fold is scored by models of the others, and a score is the mean over the folds. Raises Stopped within one batch, or
    one fit of a linear model, of ``should_stop`` being true; BaseModelUnreadable; InvalidValue for data that do not fit the task.
    ``cache`` keeps tokenised files between runs and changes no result.
    """

    def pause() -> None:
        if should_stop():
            raise Stopped(spec.run_id)

    pause()
    make_deterministic(spec.threads, spec.device)
    texts, states = cache or TextCache(), FrozenStates(spec, pause)
    by_words = (
        "tfidf_ridge" if spec.task.type is TaskType.REGRESSION else "tfidf_logistic_regression"
    )
    outputs = 1 if spec.task.type is TaskType.REGRESSION else len(spec.task.label_names)
    found: dict[str, dict[str, list[float | None]]] = {}
    rows = 0
    for fold in folds_of(spec.split):
        splits = load_splits(spec.model_copy(update={"fold": fold}), texts, pause)
        train = _at_most(
            splits.train, spec.task, max(MIN_ROWS, min(MAX_ROWS, MAX_ANSWERS // outputs))
        )
        rows = max(rows, len(train.rows))
        bench = Bench(replace(splits, train=train), Scoring(spec.task, spec.metric), pause)
        for name, scores in (
            (
                by_words,
                bench.scores(
                    lambda: TfIdf(min(MAX_FEATURES, MAX_COEFFICIENTS // outputs)), texts_of
                ),
            ),
            ("linear_probe", bench.scores(StandardScaler, states)),
        ):
            for split, score in scores.items():
                found.setdefault(split, {}).setdefault(name, []).append(score)
    yield BaselinesScored(
        scores={
            split: [
                BaselineScore(name=name, score=_mean(scores)) for name, scores in by_name.items()
            ]
            for split, by_name in found.items()
        },
        rows=rows,
    )


def _mean(scores: Sequence[float | None]) -> float | None:
    """Undefined where one is."""
    defined = [score for score in scores if score is not None]
    return sum(defined) / len(defined) if len(defined) == len(scores) else None


def targets_of(split: Split, task: Task) -> Array:
    """What the linear models learn, as ``fit_linear`` wants it."""
    labels = split.labels()
    if task.type is not TaskType.MULTI_LABEL:
        return np.asarray(labels)
    return np.asarray(targets(labels, len(task.label_names)).int().numpy())


def _as_labels(targets: Array) -> list[Label]:
    if targets.ndim == 2:
        return [tuple(row.nonzero()[0].tolist()) for row in targets]
    labels: list[Label] = targets.tolist()
    return labels


def texts_of(split: Split) -> Array:
    """Of shape (rows, 1), or (rows, 2) for pairs."""
    examples = split.examples()
    columns = [examples.texts] if examples.pairs is None else [examples.texts, examples.pairs]
    return np.array(list(zip(*columns, strict=True)), dtype=object)


def _at_most(split: Split, task: Task, most: int) -> Split:
    return Split(split.text, [split.rows[place] for place in evenly(targets_of(split, task), most)])


class FrozenStates:
    """What the probe reads: the encoder's states of a split's rows, each row computed once however many folds have it."""

    def __init__(self, spec: DataSpec, pause: Callable[[], None]) -> None:
        self._encoder = load_encoder(spec.base_model, spec.task, NO_SEED).base_model
        self._encoder.to(spec.device)
        self._pause = pause
        self._known: dict[int, tuple[EncodedText, dict[int, Array]]] = {}
        """By the text's id: the text, and row -> states."""

    def __call__(self, split: Split) -> Array:
        """Of shape (rows, width)."""
        _, known = self._known.setdefault(id(split.text), (split.text, {}))
        missing = [row for row in split.rows if row not in known]
        if missing:
            states = frozen_states(self._encoder, Split(split.text, missing), self._pause)
            known.update(zip(missing, states, strict=True))
        return np.stack([known[row] for row in split.rows])
