"""The metrics of each task type, and when its predictions are degenerate."""

import json
import subprocess
import sys
from typing import Any

import pytest

from shared.domain.task import Label, Task, TaskType
from shared.metrics import METRICS, Scoring, choose_default_metric, list_metrics
from shared.metrics.names import METRICS_BY_TASK_TYPE


def make_task(kind: TaskType, names: list[str] | None = None, positive: str | None = None) -> Task:
    return Task(
        type=kind,
        text_column="text",
        text_pair_column=None,
        label_column="label",
        header=True,
        label_names=names or [],
        positive_label=positive,
        max_seq_length=128,
    )


SINGLE = make_task(TaskType.SINGLE_LABEL, ["a", "b"], "b")
THREE = make_task(TaskType.SINGLE_LABEL, ["a", "b", "c"])
MULTI = make_task(TaskType.MULTI_LABEL, ["a", "b", "c"])
NUMBERS = make_task(TaskType.REGRESSION)


def test_every_metric_is_some_tasks_and_every_tasks_is_a_metric() -> None:
    assert {name for names in METRICS_BY_TASK_TYPE.values() for name in names} == set(METRICS)
    assert "f1" in list_metrics(SINGLE)
    assert "f1" not in list_metrics(make_task(TaskType.SINGLE_LABEL, ["a", "b", "c"]))
    assert list_metrics(MULTI) == ("accuracy", "f1_macro", "f1_micro")
    assert list_metrics(NUMBERS) == ("pearson", "spearman", "r2")


@pytest.mark.parametrize(
    ("kind", "counts", "metric"),
    [
        (TaskType.SINGLE_LABEL, {"a": 60, "b": 40}, "accuracy"),
        (TaskType.SINGLE_LABEL, {"a": 61, "b": 39}, "mcc"),
        (TaskType.SINGLE_LABEL, {"a": 34, "b": 33, "c": 33}, "accuracy"),
        (TaskType.MULTI_LABEL, {}, "f1_micro"),
        (TaskType.REGRESSION, {}, "pearson"),
    ],
)
def test_the_default_metric(kind: TaskType, counts: dict[str, int], metric: str) -> None:
    assert choose_default_metric(kind, counts) == metric


@pytest.mark.parametrize(
    ("of", "labels", "answers"),
    [
        (SINGLE, [0, 1, 1], [0, 1, 0]),
        (MULTI, [(0,), (), (1, 2)], [(0,), (1,), (1, 2)]),
        (NUMBERS, [1.0, 2.0, 3.0], [1.5, 1.0, 2.5]),
    ],
)
def test_every_metric_of_a_task_is_scored_and_has_a_constant_answer_or_none(
    of: Task, labels: list[Label], answers: list[Label]
) -> None:
    for metric in list_metrics(of):
        scoring = Scoring(of, metric)
        score = scoring.compute_scores(labels, answers)[metric]
        assert score is not None
        floor = scoring.compute_score_floor(labels)
        assert floor is not None
        assert scoring.is_degenerate(labels, answers, score) is (score <= floor)


@pytest.mark.parametrize(
    ("of", "labels"),
    [
        (THREE, [0, 1, 2, 1]),
        (THREE, [1, 1, 1]),
        (THREE, [0]),
        (SINGLE, [0, 1, 1]),
        (SINGLE, [0, 0]),
        (SINGLE, [1, 1]),
        (MULTI, [(0,), (), (1, 2)]),
        (MULTI, [(0,), (0, 1)]),
        (MULTI, [(), ()]),
        (NUMBERS, [1.0, 2.0, 3.0]),
        (NUMBERS, [2.0, 2.0]),
        (NUMBERS, [2.0]),
    ],
)
def test_the_perfect_score_is_that_of_the_labels_themselves(of: Task, labels: list[Label]) -> None:
    for metric in list_metrics(of):
        scoring = Scoring(of, metric)
        expected = scoring.compute_scores(labels, labels)[metric]
        found = scoring.compute_perfect_score(labels)
        assert found == (None if expected is None else pytest.approx(expected)), metric


@pytest.mark.parametrize(
    ("of", "metric", "labels", "answers", "score", "degenerate"),
    [
        (
            MULTI,
            "f1_micro",
            [(0,), (1,), ()],
            [(0,), (0,), (0,)],
            0.9,
            True,
        ),  # the same set for every row
        (MULTI, "f1_micro", [(0,), (1,), ()], [(), (), ()], 0.9, True),
        (MULTI, "f1_micro", [(0,), (1,), ()], [(0,), (1,), ()], 1.0, False),
        (
            MULTI,
            "accuracy",
            [(0,), (1,), (1,)],
            [(0,), (0,), (1,)],
            2 / 3,
            True,
        ),  # always (1,) reaches as much
        (NUMBERS, "pearson", [1.0, 2.0, 3.0], [1.0, 1.0, 1.0], None, True),
        (
            NUMBERS,
            "pearson",
            [1.0, 2.0, 3.0],
            [5.0, 5.0, 5.0 + 1e-7],
            0.9,
            True,
        ),  # rounding is no answer
        (NUMBERS, "pearson", [1.0, 2.0, 3.0], [3.0, 2.0, 1.0], -1.0, True),
        (NUMBERS, "spearman", [1.0, 2.0, 3.0], [1.0, 3.0, 2.0], 0.0, True),
        (NUMBERS, "pearson", [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 1.0, False),
        (
            NUMBERS,
            "r2",
            [1.0, 2.0, 3.0],
            [3.0, 3.5, 4.0],
            -2.0,
            True,
        ),  # in order, yet worse than the mean
    ],
)
def test_degenerate(
    of: Task,
    metric: str,
    labels: list[Label],
    answers: list[Label],
    score: float | None,
    degenerate: bool,
) -> None:
    assert Scoring(of, metric).is_degenerate(labels, answers, score) is degenerate


def test_tables_of_classes_where_there_are_classes() -> None:
    single = Scoring(SINGLE, "accuracy")
    assert single.build_confusion_matrix([0, 1, 1], [0, 1, 0]) == [[1, 0], [1, 1]]
    multi = Scoring(MULTI, "f1_micro")
    assert multi.build_confusion_matrix([(0,)], [(0,)]) is None
    rows: Any = multi.compute_class_scores([(0,), (0, 1)], [(0,), (0,)])
    assert [(row.label, row.recall, row.support) for row in rows] == [
        ("a", 1.0, 2),
        ("b", 0.0, 1),
        ("c", None, 0),
    ]
    numbers = Scoring(NUMBERS, "pearson")
    assert (
        numbers.build_confusion_matrix([1.0], [1.0]),
        numbers.compute_class_scores([1.0], [1.0]),
    ) == (None, None)


def test_importing_the_names_loads_no_scikit_learn() -> None:
    code = (
        "import json, sys, shared.metrics; print(json.dumps([name for name in "
        "('sklearn', 'scipy', 'torch') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == []
