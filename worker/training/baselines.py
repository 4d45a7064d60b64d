"""What simpler models reach on a job's rows, so that nobody fine-tunes an encoder for what word counts can do.

``tfidf_logistic_regression`` (``tfidf_ridge`` for regression) never sees the encoder: a linear model of weighted word counts.
``linear_probe`` never trains it: a linear model of its frozen last hidden states, averaged over the tokens and standardised, as in
probing studies (Alain & Bengio 2016). Pairs reach the encoder joined, as in training.

Both are fitted on the training rows alone, penalties chosen there too (``linear.py``), and scored once on the job's validation and
test rows by its own metric. The recipe plays no part: no class weights, no seed. On a CPU the same job has the same scores.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import StandardScaler

from shared.metrics import score_all
from shared.task import TaskType
from worker.training.encoder import load_encoder
from worker.training.errors import Stopped
from worker.training.evaluate import Scoring, scoring
from worker.training.events import BaselineScore, BaselinesScored
from worker.training.features import TfIdf, frozen_states
from worker.training.linear import Array, Features, evenly, fit_linear, outputs_of
from worker.training.seeding import make_deterministic
from worker.training.spec import DataSpec
from worker.training.split import Split, load_splits
from worker.training.text import TextCache

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

    train: Split
    held_out: dict[str, Split]
    task_type: TaskType
    judge: Scoring
    pause: Callable[[], None]

    def scores(
        self, make_features: Callable[[], Features], inputs_of: Callable[[Split], Array]
    ) -> dict[str, float | None]:
        """Of a linear model of these features of these inputs, by split."""
        model = fit_linear(
            make_features, inputs_of(self.train), targets_of(self.train), self.task_type, self._score, self.pause
        )
        return {
            name: self._score(targets_of(split), model.predict(inputs_of(split)))
            for name, split in self.held_out.items()
        }

    def _score(self, targets: Array, answers: Array) -> float | None:
        judge = self.judge
        return score_all(targets.tolist(), answers.tolist(), judge.num_labels, judge.positive)[judge.metric]


def score_baselines(
    spec: DataSpec, should_stop: Callable[[], bool], cache: TextCache | None = None
) -> Iterator[BaselinesScored]:
    """Fit the baselines and score them: one event, at the end.

    Raises Stopped within one batch, or one fit of a linear model, of ``should_stop`` being true; BaseModelUnreadable; InvalidValue for
    data that do not fit the task. ``cache`` keeps tokenised files between runs and changes no result.
    """

    def pause() -> None:
        if should_stop():
            raise Stopped(spec.run_id)

    pause()
    make_deterministic(spec.threads, spec.device)
    splits = load_splits(spec, cache or TextCache(), pause)
    outputs = outputs_of(targets_of(splits.train), spec.task.type)
    train = _at_most(splits.train, max(MIN_ROWS, min(MAX_ROWS, MAX_ANSWERS // outputs)))
    held_out = {name: split for name, split in splits.present().items() if name != "train"}
    bench = Bench(train, held_out, spec.task.type, scoring(spec.task, spec.metric), pause)
    by_words = "tfidf_ridge" if spec.task.type is TaskType.REGRESSION else "tfidf_logistic_regression"
    found = {
        by_words: bench.scores(lambda: TfIdf(min(MAX_FEATURES, MAX_COEFFICIENTS // outputs)), texts_of),
        "linear_probe": bench.scores(StandardScaler, _states_of(spec, pause)),
    }
    yield BaselinesScored(
        scores={
            split: [BaselineScore(name=name, score=scores[split]) for name, scores in found.items()]
            for split in held_out
        },
        rows=len(train.rows),
    )


def targets_of(split: Split) -> Array:
    """What the linear models learn, as ``fit_linear`` wants it."""
    return np.asarray(split.labels())


def texts_of(split: Split) -> Array:
    """Of shape (rows, 1), or (rows, 2) for pairs."""
    examples = split.text.examples
    columns = [examples.texts] if examples.pairs is None else [examples.texts, examples.pairs]
    return np.array([[column[row] for column in columns] for row in split.rows], dtype=object)


def _states_of(spec: DataSpec, pause: Callable[[], None]) -> Callable[[Split], Array]:
    encoder = load_encoder(spec.base_model, spec.task, NO_SEED).base_model
    encoder.to(spec.device)
    return lambda split: frozen_states(encoder, split, pause)


def _at_most(split: Split, most: int) -> Split:
    return Split(split.text, [split.rows[place] for place in evenly(targets_of(split), most)])
