"""Baseline scores: the scores of simpler models on a job's rows.

``tfidf_logistic_regression`` (``tfidf_ridge`` for regression) is a linear model of weighted word
counts that never sees the encoder. ``linear_probe`` is a linear model of the frozen encoder's
standardized states, as in probing studies (Alain & Bengio 2016): the mean over the tokens, the
first token or the pooler's output, whichever predicts best; pairs are read joined. A sentence
encoder was made for single texts, so pairs have two more baselines, of which
the first often wins: ``pair_probe`` is a linear model that compares the two texts' own states
(|a - b|, a·b, cosine; or these and a and b), ``pair_cosine`` one of their cosine alone.

All are fitted on the training rows only, where views and penalties are chosen too (``linear.py``),
and scored once on the job's validation and test rows with its metric. They ignore the recipe: no
class weights, no seed. On a CPU the same job has the same scores.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from shared.datasets import list_folds
from shared.domain.job_facts import BaselineScore
from shared.domain.task import Label, Task, TaskType
from shared.metrics import Scoring
from worker.training.baselines.features import TfIdfFeatures
from worker.training.baselines.frozen_encoder import FrozenEncoder, Views
from worker.training.baselines.linear import (
    Features,
    LinearModel,
    choose_view,
    fit_linear_model,
)
from worker.training.baselines.rows import (
    Array,
    build_linear_targets,
    count_task_outputs,
    downsample_rows,
    get_max_rows,
)
from worker.training.data.split import Split, Splits, load_splits
from worker.training.data.tokenization import TextCache
from worker.training.errors import build_stop_check
from worker.training.events import BaselinesScored
from worker.training.seeding import make_deterministic
from worker.training.spec import DataSpec

MAX_FEATURES = 50_000
"""Maximum of word features."""
MAX_COEFFICIENTS = 2_000_000
"""Maximum of features times outputs."""


@dataclass(frozen=True)
class BaselineScorer:
    """Rows to fit on, rows to score on, and the metric."""

    splits: Splits
    scoring: Scoring
    check_stop: Callable[[], None]

    def score_model(
        self, make_features: Callable[[], Features], get_views: Callable[[Split], Views]
    ) -> dict[str, float | None]:
        """Fit a linear model of the features of the best view, and return its score by split."""
        view, model = self._fit_model(make_features, get_views)
        return {
            name: self._score_predictions(
                build_linear_targets(split, self.scoring.task),
                model.predict(get_views(split)[view]),
            )
            for name, split in self.splits.get_named_splits().items()
            if name != "train"
        }

    def _fit_model(
        self, make_features: Callable[[], Features], get_views: Callable[[Split], Views]
    ) -> tuple[str, LinearModel]:
        task, views = self.scoring.task, get_views(self.splits.train)
        targets = build_linear_targets(self.splits.train, task)
        settings = (targets, task.type, self._score_predictions, self.check_stop)
        view = choose_view(make_features, views, *settings)
        return view, fit_linear_model(make_features, views[view], *settings)

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
    encoder = FrozenEncoder(spec, check_stop)
    fold_scores: dict[str, dict[str, list[float | None]]] = {}
    rows = 0
    for splits in _iterate_folds(spec, cache or TextCache(), check_stop):
        rows = max(rows, len(splits.train.rows))
        scorer = BaselineScorer(splits, Scoring(spec.task, spec.metric), check_stop)
        for name, scores in _score_fold(scorer, encoder).items():
            for split, score in scores.items():
                fold_scores.setdefault(split, {}).setdefault(name, []).append(score)
    yield _build_scores_event(fold_scores, rows)


def _iterate_folds(
    spec: DataSpec, cache: TextCache, check_stop: Callable[[], None]
) -> Iterator[Splits]:
    """Yield the splits of each fold, with as many training rows as the baselines are fitted on."""
    for fold in list_folds(spec.split):
        splits = load_splits(spec.model_copy(update={"fold": fold}), cache, check_stop)
        train = _downsample_split(splits.train, spec.task, get_max_rows(spec.task))
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
    scorer: BaselineScorer, encoder: FrozenEncoder
) -> dict[str, dict[str, float | None]]:
    """Return the scores of the baselines, by name and split."""
    task = scorer.scoring.task
    is_regression = task.type is TaskType.REGRESSION
    max_features = min(MAX_FEATURES, MAX_COEFFICIENTS // count_task_outputs(task))
    scores = {
        "tfidf_ridge" if is_regression else "tfidf_logistic_regression": scorer.score_model(
            lambda: TfIdfFeatures(max_features), lambda split: {"words": get_texts(split)}
        ),
        "linear_probe": scorer.score_model(StandardScaler, encoder.get_joined_views),
    }
    if task.text_pair_column is not None:
        scores |= {
            # not standardized: the cosine, one feature of many, would lose its weight
            "pair_probe": scorer.score_model(FunctionTransformer, encoder.get_pair_views),
            "pair_cosine": scorer.score_model(StandardScaler, encoder.get_cosine_views),
        }
    return scores


def _average_scores(scores: Sequence[float | None]) -> float | None:
    """Return the mean score, or None if one of them is undefined."""
    defined = [score for score in scores if score is not None]
    return sum(defined) / len(defined) if len(defined) == len(scores) else None


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
