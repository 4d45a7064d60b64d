"""Linear models equal scikit-learn's own cross-validation for every task type."""

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, matthews_corrcoef
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shared.domain.task import TaskType
from tests.worker.training.runs import never_stop
from worker.training.baselines import linear
from worker.training.baselines.linear import (
    INVERSE_PENALTIES,
    LinearModel,
    ScoreFunction,
    choose_view,
    fit_linear_model,
)
from worker.training.baselines.rows import (
    FOLDS,
    MAX_SELECTION_OUTPUTS,
    Array,
    assign_folds,
    downsample_rows,
)


def make_noisy_data(rows: int = 90, width: int = 20, seed: int = 0) -> tuple[Array, Array]:
    """Return inputs and numbers that depend on two of their columns."""
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(rows, width)) * draw.uniform(0.1, 10, size=width)
    return inputs, inputs[:, 0] / 5 - inputs[:, 1] + draw.normal(size=rows)


def compute_mcc(targets: Array, predictions: Array) -> float:
    return float(matthews_corrcoef(targets, predictions))


def compute_correlation(targets: Array, predictions: Array) -> float:
    return float(pearsonr(targets, predictions).statistic)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("task_type", [TaskType.SINGLE_LABEL, TaskType.REGRESSION])
def test_penalty_and_model_equal_those_of_scikit_learn(task_type: TaskType, seed: int) -> None:
    inputs, numbers = make_noisy_data(seed=seed)
    regression = task_type is TaskType.REGRESSION
    targets = numbers if regression else np.digitize(numbers, [-1.0, 2.0])
    score: ScoreFunction = compute_correlation if regression else compute_mcc
    scores = {}
    for c in INVERSE_PENALTIES:
        model = Ridge(alpha=1 / c) if regression else LogisticRegression(C=c, max_iter=200)
        pipeline = make_pipeline(StandardScaler(), model)
        predictions = cross_val_predict(
            pipeline, inputs, targets, cv=PredefinedSplit(assign_folds(targets))
        )
        scores[c] = (score(targets, predictions), pipeline)
    best = max(scores, key=lambda c: (scores[c][0], -c))

    found = fit_linear_model(StandardScaler, inputs, targets, task_type, score, never_stop)
    assert found.inverse_penalty == best
    others, _ = make_noisy_data(seed=9)
    expected = scores[best][1].fit(inputs, targets).predict(others)
    np.testing.assert_allclose(found.predict(others), expected, rtol=1e-9)


def test_multi_label_is_one_logistic_regression_per_label() -> None:
    inputs, numbers = make_noisy_data()
    targets = np.stack([numbers > 0, numbers > 3, inputs[:, 2] > 0], axis=1).astype(int)
    found = (
        LinearModel(StandardScaler(), TaskType.MULTI_LABEL, 1.0)
        .fit(inputs, targets)
        .predict(inputs)
    )
    scaled = StandardScaler().fit_transform(inputs)
    expected = [
        LogisticRegression(max_iter=200).fit(scaled, column).predict(scaled) for column in targets.T
    ]
    np.testing.assert_array_equal(found, np.stack(expected, axis=1))

    def compute_f1(targets: Array, predictions: Array) -> float:
        return float(f1_score(targets, predictions, average="micro"))

    chosen = fit_linear_model(
        StandardScaler, inputs, targets, TaskType.MULTI_LABEL, compute_f1, never_stop
    )
    assert compute_f1(targets, chosen.predict(inputs)) > 0.8


def test_labels_that_are_missing_in_a_fold() -> None:
    inputs, numbers = make_noisy_data(rows=12)
    rare = np.array([0] * 11 + [1])
    fitted = fit_linear_model(
        StandardScaler, inputs, rare, TaskType.SINGLE_LABEL, compute_mcc, never_stop
    )
    assert set(fitted.predict(inputs)) <= {0, 1}
    several = np.stack([rare, np.ones(12, dtype=int)], axis=1)
    predictions = fit_linear_model(
        StandardScaler, inputs, several, TaskType.MULTI_LABEL, lambda *_: None, never_stop
    ).predict(inputs)
    assert predictions[:, 1].tolist() == [1] * 12
    two = fit_linear_model(
        StandardScaler, inputs[:2], np.array([0, 1]), TaskType.SINGLE_LABEL, compute_mcc, never_stop
    )
    assert two.predict(inputs[:2]).tolist() == [0, 1]
    assert two.inverse_penalty == 1.0
    assert len(numbers) == 12


def test_an_undefined_score_keeps_the_strongest_penalty() -> None:
    inputs, numbers = make_noisy_data()
    found = fit_linear_model(
        StandardScaler, inputs, numbers, TaskType.REGRESSION, lambda *_: None, never_stop
    )
    assert found.inverse_penalty == INVERSE_PENALTIES[0]


def test_folds_and_samples_are_stratified() -> None:
    labels = np.random.default_rng(0).permutation([0] * 60 + [1] * 30 + [2] * 3)
    folds = assign_folds(labels)
    for fold in range(FOLDS):
        assert np.bincount(labels[folds == fold]).tolist() == [20, 10, 1]
    rows = downsample_rows(labels, 31)
    assert np.bincount(labels[rows]).tolist() == [20, 10, 1]
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert downsample_rows(labels, 1000).tolist() == list(range(93))


def test_with_very_many_labels_no_penalty_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, _ = make_noisy_data(rows=3 * (MAX_SELECTION_OUTPUTS + 1))
    targets = np.arange(len(inputs)) % (MAX_SELECTION_OUTPUTS + 1)
    fits: list[int] = []
    fitted = fit_linear_model(
        StandardScaler, inputs, targets, TaskType.SINGLE_LABEL, compute_mcc, lambda: fits.append(1)
    )
    assert (len(fits), fitted.inverse_penalty) == (1, 1.0)
    monkeypatch.setattr(linear, "MAX_SELECTION_OUTPUTS", 1000)
    monkeypatch.setattr(linear, "INVERSE_PENALTIES", (0.1, 1.0))
    fit_linear_model(
        StandardScaler, inputs, targets, TaskType.SINGLE_LABEL, compute_mcc, lambda: fits.append(1)
    )
    assert len(fits) == 1 + 2 * FOLDS + 1


def test_the_view_that_predicts_best_out_of_fold_is_chosen() -> None:
    inputs, numbers = make_noisy_data()
    noise = np.random.default_rng(1).normal(size=inputs.shape)

    def choose(views: dict[str, Array]) -> str:
        return choose_view(
            StandardScaler, views, numbers, TaskType.REGRESSION, compute_correlation, never_stop
        )

    assert choose({"noise": noise, "signal": inputs}) == "signal"
    assert choose({"first": inputs, "same": inputs}) == "first"
    assert choose({"only": noise}) == "only"
