"""Baseline scores: the scores of simpler models on a job's rows.

``tfidf_logistic_regression`` (``tfidf_ridge`` for regression) is a linear model of weighted word
counts that never sees the encoder. ``linear_probe`` is a linear model of the frozen encoder's last
hidden states, averaged over the tokens and standardized, as in probing studies (Alain & Bengio
2016); the encoder reads pairs joined, as in training.

Both are fitted on the training rows only, where their penalties are chosen too (``linear.py``), and
scored once on the job's validation and test rows with its metric. They ignore the recipe: no class
weights, no seed. On a CPU the same job has the same scores.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.preprocessing import StandardScaler

from shared.datasets import list_folds
from shared.domain.job_facts import BaselineScore
from shared.domain.task import Label, Task, TaskType
from shared.metrics import Scoring
from worker.training.baselines.features import TfIdfFeatures, compute_frozen_states
from worker.training.baselines.linear import (
    Array,
    Features,
    LinearModel,
    downsample_rows,
    fit_linear_model,
)
from worker.training.data.split import Split, Splits, load_splits
from worker.training.data.targets import build_targets
from worker.training.data.tokenization import EncodedText, TextCache
from worker.training.errors import build_stop_check
from worker.training.events import BaselinesScored
from worker.training.model.encoder import load_encoder
from worker.training.seeding import make_deterministic
from worker.training.spec import DataSpec

MAX_ROWS = 10_000
"""Maximum of training rows to fit on; the probe then costs less than a tenth of 320 steps."""
MAX_TARGETS = 1_000_000
"""Maximum of rows times outputs: many labels mean fewer rows, but at least ``MIN_ROWS``."""
MIN_ROWS = 2_000
MAX_FEATURES = 50_000
"""Maximum of word features."""
MAX_COEFFICIENTS = 2_000_000
"""Maximum of features times outputs."""
UNUSED_INIT_SEED = 0
"""Seed of the head, which the probe does not use."""


@dataclass(frozen=True)
class BaselineScorer:
    """Rows to fit on, rows to score on, and the metric."""

    splits: Splits
    scoring: Scoring
    check_stop: Callable[[], None]

    def score_model(
        self, make_features: Callable[[], Features], get_inputs: Callable[[Split], Array]
    ) -> dict[str, float | None]:
        """Fit a linear model of the features of the inputs, and return its score by split."""
        model, task = self._fit_model(make_features, get_inputs), self.scoring.task
        return {
            name: self._score_predictions(
                build_linear_targets(split, task), model.predict(get_inputs(split))
            )
            for name, split in self.splits.get_named_splits().items()
            if name != "train"
        }

    def _fit_model(
        self, make_features: Callable[[], Features], get_inputs: Callable[[Split], Array]
    ) -> LinearModel:
        train, task = self.splits.train, self.scoring.task
        return fit_linear_model(
            make_features,
            get_inputs(train),
            build_linear_targets(train, task),
            task.type,
            self._score_predictions,
            self.check_stop,
        )

    def _score_predictions(self, targets: Array, predictions: Array) -> float | None:
        scores = self.scoring.compute_scores(_to_labels(targets), _to_labels(predictions))
        return scores[self.scoring.metric]


def score_baselines(
    spec: DataSpec, should_stop: Callable[[], bool], cache: TextCache | None = None
) -> Iterator[BaselinesScored]:
    """Fit the baselines, score them, and yield the only event at the end.

    With k-fold splits, every fold is scored by models of the other folds, and a score is the mean
    over the folds. ``cache`` keeps tokenized files between runs and does not affect the result.

    Raise StopRequested within one batch, or one fit of a linear model, of ``should_stop`` being
    true, BaseModelUnreadable, and InvalidValue if the data do not fit the task.
    """
    check_stop = build_stop_check(spec.run_id, should_stop)
    check_stop()
    make_deterministic(spec.threads, spec.device)
    states = FrozenStateCache(spec, check_stop)
    fold_scores: dict[str, dict[str, list[float | None]]] = {}
    rows = 0
    for splits in _iterate_folds(spec, cache or TextCache(), check_stop):
        rows = max(rows, len(splits.train.rows))
        scorer = BaselineScorer(splits, Scoring(spec.task, spec.metric), check_stop)
        for name, scores in _score_fold(scorer, states).items():
            for split, score in scores.items():
                fold_scores.setdefault(split, {}).setdefault(name, []).append(score)
    yield _build_scores_event(fold_scores, rows)


def _iterate_folds(
    spec: DataSpec, cache: TextCache, check_stop: Callable[[], None]
) -> Iterator[Splits]:
    """Yield the splits of each fold, with as many training rows as the baselines are fitted on."""
    for fold in list_folds(spec.split):
        splits = load_splits(spec.model_copy(update={"fold": fold}), cache, check_stop)
        train = _downsample_split(splits.train, spec.task, _get_max_rows(spec.task))
        yield replace(splits, train=train)


def _build_scores_event(
    fold_scores: Mapping[str, Mapping[str, Sequence[float | None]]], rows: int
) -> BaselinesScored:
    """Average the scores, given by split, name and fold."""
    return BaselinesScored(
        scores={
            split: [
                BaselineScore(name=name, score=_average_scores(scores))
                for name, scores in scores_by_name.items()
            ]
            for split, scores_by_name in fold_scores.items()
        },
        rows=rows,
    )


def _score_fold(
    scorer: BaselineScorer, states: "FrozenStateCache"
) -> dict[str, dict[str, float | None]]:
    """Return the scores of both baselines, by name and split."""
    task = scorer.scoring.task
    is_regression = task.type is TaskType.REGRESSION
    max_features = min(MAX_FEATURES, MAX_COEFFICIENTS // _count_outputs(task))
    return {
        "tfidf_ridge" if is_regression else "tfidf_logistic_regression": scorer.score_model(
            lambda: TfIdfFeatures(max_features), get_texts
        ),
        "linear_probe": scorer.score_model(StandardScaler, states),
    }


def _get_max_rows(task: Task) -> int:
    return max(MIN_ROWS, min(MAX_ROWS, MAX_TARGETS // _count_outputs(task)))


def _count_outputs(task: Task) -> int:
    return 1 if task.type is TaskType.REGRESSION else len(task.label_names)


def _average_scores(scores: Sequence[float | None]) -> float | None:
    """Return the mean score, or None if one of them is undefined."""
    defined = [score for score in scores if score is not None]
    return sum(defined) / len(defined) if len(defined) == len(scores) else None


def build_linear_targets(split: Split, task: Task) -> Array:
    """Return the split's labels in the form that ``fit_linear_model`` takes."""
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
    """Return the split's texts, of shape (rows, 1), or (rows, 2) for pairs."""
    examples = split.select_examples()
    columns = [examples.texts]
    if examples.second_texts is not None:
        columns.append(examples.second_texts)
    return np.array(list(zip(*columns, strict=True)), dtype=object)


def _downsample_split(split: Split, task: Task, max_rows: int) -> Split:
    sample = downsample_rows(build_linear_targets(split, task), max_rows)
    return Split(split.text, [split.rows[index] for index in sample])


class FrozenStateCache:
    """Frozen encoder states of a split's rows; each row is computed once for all folds."""

    def __init__(self, spec: DataSpec, check_stop: Callable[[], None]) -> None:
        self._encoder = load_encoder(spec.base_model, spec.task, UNUSED_INIT_SEED).base_model
        self._encoder.to(spec.device)
        self._check_stop = check_stop
        self._states_by_text: dict[int, tuple[EncodedText, dict[int, Array]]] = {}
        """The text and the states by row, by the text's ``id``."""

    def __call__(self, split: Split) -> Array:
        """Return the states of the split's rows, of shape (rows, width)."""
        _, states_by_row = self._states_by_text.setdefault(id(split.text), (split.text, {}))
        missing = [row for row in split.rows if row not in states_by_row]
        if missing:
            states = compute_frozen_states(
                self._encoder, Split(split.text, missing), self._check_stop
            )
            states_by_row.update(zip(missing, states, strict=True))
        return np.stack([states_by_row[row] for row in split.rows])
