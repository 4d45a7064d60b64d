"""What simpler models reach on a job's rows, so that nobody fine-tunes an encoder for what word
counts can do.

``tfidf_logistic_regression`` (``tfidf_ridge`` for regression) never sees the encoder: a linear
model of weighted word counts. ``linear_probe`` never trains it: a linear model of its frozen
last hidden states, averaged over the tokens and standardised, as in probing studies (Alain &
Bengio 2016). Pairs reach the encoder joined, as in training.

Both are fitted on the training rows alone, penalties chosen there too (``linear.py``), and
scored once on the job's validation and test rows by its own metric. The recipe plays no part:
no class weights, no seed. On a CPU the same job has the same scores.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.preprocessing import StandardScaler

from shared.datasets import list_folds
from shared.domain.task import Label, Task, TaskType
from shared.metrics import Scoring
from worker.training.baselines.features import TfIdfFeatures, compute_frozen_states
from worker.training.baselines.linear import Array, Features, downsample_rows, fit_linear_model
from worker.training.data.split import Split, Splits, load_splits
from worker.training.data.tokenization import EncodedText, TextCache
from worker.training.errors import StopRequested
from worker.training.events import BaselineScore, BaselinesScored
from worker.training.model.encoder import load_encoder
from worker.training.optim.objective import build_targets
from worker.training.seeding import make_deterministic
from worker.training.spec import DataSpec

MAX_ROWS = 10_000
"""Most training rows to fit on: a probe of as many costs less than a tenth of what one run of
320 steps computes.
"""
MAX_ANSWERS = 1_000_000
"""Rows times outputs: with very many labels fewer rows, but at least ``MIN_ROWS``."""
MIN_ROWS = 2_000
MAX_FEATURES = 50_000
MAX_COEFFICIENTS = 2_000_000
"""Features times outputs."""
NO_SEED = 0  # the probe reads the encoder below the head, whatever is drawn for that


@dataclass(frozen=True)
class BaselineScorer:
    """The rows to fit on, the rows to answer, and how answers are judged."""

    splits: Splits
    scoring: Scoring
    check_stop: Callable[[], None]

    def score_model(
        self, make_features: Callable[[], Features], get_inputs: Callable[[Split], Array]
    ) -> dict[str, float | None]:
        """Of a linear model of these features of these inputs, by split."""
        train, task = self.splits.train, self.scoring.task
        model = fit_linear_model(
            make_features,
            get_inputs(train),
            build_linear_targets(train, task),
            task.type,
            self._score_answers,
            self.check_stop,
        )
        return {
            name: self._score_answers(
                build_linear_targets(split, task), model.predict(get_inputs(split))
            )
            for name, split in self.splits.get_named_splits().items()
            if name != "train"
        }

    def _score_answers(self, targets: Array, answers: Array) -> float | None:
        return self.scoring.compute_scores(_to_labels(targets), _to_labels(answers))[
            self.scoring.metric
        ]


def score_baselines(
    spec: DataSpec, should_stop: Callable[[], bool], cache: TextCache | None = None
) -> Iterator[BaselinesScored]:
    """Fit the baselines and score them: one event, at the end.

    Under k-fold every fold is scored by models of the others, and a score is the mean over the
    folds. Raises Stopped within one batch, or one fit of a linear model, of ``should_stop``
    being true; BaseModelUnreadable; InvalidValue for data that do not fit the task. ``cache``
    keeps tokenised files between runs and changes no result.
    """

    def check_stop() -> None:
        if should_stop():
            raise StopRequested(spec.run_id)

    check_stop()
    make_deterministic(spec.threads, spec.device)
    texts, states = cache or TextCache(), FrozenStateCache(spec, check_stop)
    by_words = (
        "tfidf_ridge" if spec.task.type is TaskType.REGRESSION else "tfidf_logistic_regression"
    )
    outputs = 1 if spec.task.type is TaskType.REGRESSION else len(spec.task.label_names)
    found: dict[str, dict[str, list[float | None]]] = {}
    rows = 0
    for fold in list_folds(spec.split):
        splits = load_splits(spec.model_copy(update={"fold": fold}), texts, check_stop)
        train = _downsample_split(
            splits.train, spec.task, max(MIN_ROWS, min(MAX_ROWS, MAX_ANSWERS // outputs))
        )
        rows = max(rows, len(train.rows))
        bench = BaselineScorer(
            replace(splits, train=train), Scoring(spec.task, spec.metric), check_stop
        )
        for name, scores in (
            (
                by_words,
                bench.score_model(
                    lambda: TfIdfFeatures(min(MAX_FEATURES, MAX_COEFFICIENTS // outputs)), get_texts
                ),
            ),
            ("linear_probe", bench.score_model(StandardScaler, states)),
        ):
            for split, score in scores.items():
                found.setdefault(split, {}).setdefault(name, []).append(score)
    yield BaselinesScored(
        scores={
            split: [
                BaselineScore(name=name, score=_average_scores(scores))
                for name, scores in by_name.items()
            ]
            for split, by_name in found.items()
        },
        rows=rows,
    )


def _average_scores(scores: Sequence[float | None]) -> float | None:
    """Undefined where one is."""
    defined = [score for score in scores if score is not None]
    return sum(defined) / len(defined) if len(defined) == len(scores) else None


def build_linear_targets(split: Split, task: Task) -> Array:
    """What the linear models learn, as ``fit_linear_model`` wants it."""
    labels = split.list_labels()
    if task.type is not TaskType.MULTI_LABEL:
        return np.asarray(labels)
    return np.asarray(build_targets(labels, len(task.label_names)).int().numpy())


def _to_labels(targets: Array) -> list[Label]:
    if targets.ndim == 2:
        return [tuple(row.nonzero()[0].tolist()) for row in targets]
    labels: list[Label] = targets.tolist()
    return labels


def get_texts(split: Split) -> Array:
    """Of shape (rows, 1), or (rows, 2) for pairs."""
    examples = split.select_examples()
    columns = (
        [examples.texts]
        if examples.second_texts is None
        else [examples.texts, examples.second_texts]
    )
    return np.array(list(zip(*columns, strict=True)), dtype=object)


def _downsample_split(split: Split, task: Task, max_rows: int) -> Split:
    return Split(
        split.text,
        [
            split.rows[place]
            for place in downsample_rows(build_linear_targets(split, task), max_rows)
        ],
    )


class FrozenStateCache:
    """What the probe reads: the encoder's states of a split's rows, each row computed once
    however many folds have it.
    """

    def __init__(self, spec: DataSpec, check_stop: Callable[[], None]) -> None:
        self._encoder = load_encoder(spec.base_model, spec.task, NO_SEED).base_model
        self._encoder.to(spec.device)
        self._check_stop = check_stop
        self._states_by_text: dict[int, tuple[EncodedText, dict[int, Array]]] = {}
        """By the text's id: the text, and row -> states."""

    def __call__(self, split: Split) -> Array:
        """Of shape (rows, width)."""
        _, known = self._states_by_text.setdefault(id(split.text), (split.text, {}))
        missing = [row for row in split.rows if row not in known]
        if missing:
            states = compute_frozen_states(
                self._encoder, Split(split.text, missing), self._check_stop
            )
            known.update(zip(missing, states, strict=True))
        return np.stack([known[row] for row in split.rows])
