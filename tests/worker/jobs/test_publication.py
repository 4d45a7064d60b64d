"""The score of an ensemble from stored predictions, and the choice of what to publish."""

import json

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import accuracy_score

from shared.db.tables import Job, Run
from shared.domain.job_request import RequestedArtifacts, StoredRequest
from shared.domain.publication import Publication
from shared.domain.task import TaskType
from shared.metrics import Scoring
from tests.rows import TASK, job_values
from worker.context import WorkerContext
from worker.jobs.ensemble_scores import EnsembleSplit, StoredRows, score_ensemble
from worker.jobs.publication import (
    MAX_AUTO_MEMBERS,
    compare_validation_scores,
    decide_publication,
    find_excessive_cost,
)

LABELS = ["a", "b", "b", "a", "b", "a", "a", "b"]
MB = 1024 * 1024
MANY = 1_000_000_000


def make_rows(probabilities: list[float], split: str = "validation") -> StoredRows:
    """Return rows as predictions.json has them, from the probability of b."""
    return [
        {
            "split": split,
            "row": row + 1,
            "label": LABELS[row],
            "predicted": "b" if p > 0.5 else "a",
            "probabilities": [1 - p, p],
        }
        for row, p in enumerate(probabilities)
    ]


def draw_members(count: int) -> list[list[float]]:
    rows: list[list[float]] = np.random.default_rng(1).random((count, len(LABELS))).tolist()
    return rows


def test_an_ensemble_is_scored_by_its_mean_probabilities() -> None:
    members = draw_members(4)
    split = EnsembleSplit("validation", Scoring(TASK, "accuracy"))
    for probabilities in members:
        split.add_run([*make_rows(probabilities), *make_rows([0.9] * 8, "test")])
    scores = split.compute_scores()
    assert scores is not None
    predicted = np.where(np.mean(members, axis=0) > 0.5, "b", "a")
    assert scores.metrics["accuracy"] == pytest.approx(accuracy_score(LABELS, predicted))
    assert scores.disagreement is not None
    assert 0 < scores.disagreement < 1


def test_an_ensemble_of_a_regression_is_the_mean_number() -> None:
    task = TASK.model_copy(
        update={"type": TaskType.REGRESSION, "label_names": [], "positive_label": None}
    )
    labels, members = np.random.default_rng(2).random((2, 30)), []
    split = EnsembleSplit("test", Scoring(task, "pearson"))
    for noise in labels:
        numbers = labels[0] + noise
        members.append(numbers)
        split.add_run(
            [
                {"split": "test", "row": row, "label": y, "predicted": p, "probabilities": []}
                for row, (y, p) in enumerate(zip(labels[0].tolist(), numbers.tolist(), strict=True))
            ]
        )
    scores = split.compute_scores()
    assert scores is not None
    expected = pearsonr(labels[0], np.mean(members, axis=0)).statistic
    assert scores.metrics["pearson"] == pytest.approx(expected)
    assert scores.disagreement is None


def test_sets_of_labels_are_those_above_one_half() -> None:
    task = TASK.model_copy(update={"type": TaskType.MULTI_LABEL, "positive_label": None})
    split = EnsembleSplit("test", Scoring(task, "f1_micro"))
    row = {"split": "test", "row": 1, "label": ["b"]}
    split.add_run([{**row, "predicted": ["a", "b"], "probabilities": [0.6, 0.9]}])
    split.add_run([{**row, "predicted": [], "probabilities": [0.1, 0.4]}])
    scores = split.compute_scores()
    assert scores is not None
    assert scores.metrics["f1_micro"] == 1.0
    assert scores.disagreement == 1.0


def test_runs_of_different_folds_have_no_common_score() -> None:
    split = EnsembleSplit("validation", Scoring(TASK, "accuracy"))
    for rows in (make_rows([0.1] * 8)[:4], make_rows([0.1] * 8)[4:]):
        split.add_run(rows)
    assert split.compute_scores() is None


@pytest.mark.parametrize(
    ("ensemble", "runs", "rows", "expected"),
    [
        (0.80, [0.70, 0.75, 0.80], MANY, True),
        (0.76, [0.70, 0.75, 0.80], MANY, True),  # the best of three is 0.05 above the mean by luck
        (0.749, [0.70, 0.75, 0.80], MANY, False),  # below the best by more than the std of 0.05
        (0.49, [0.1, 0.5, 0.9], MANY, False),  # below the mean, though within the std of 0.4
        (0.5, [0.5, 0.5, 0.5], MANY, True),
        (0.9, [0.7, 0.8], MANY, False),
        (None, [0.7, 0.8, 0.9], MANY, False),
        (0.9, [0.7, 0.8, None], MANY, False),
        (0.69, [0.70, 0.75, 0.80], 200, False),  # 200 rows determine Matthews' 0.75 to 0.047
        (0.71, [0.70, 0.75, 0.80], 200, True),
        (0.518, [0.534, 0.519, 0.518, 0.518, 0.534], 200, True),  # one row below the mean
        (0.15, [0.10, 0.10, 0.10, 0.10, 0.50], 200, False),  # one run of five has learned
        (0.15, [0.10, 0.10, 0.10, 0.10, 0.50], 20, True),  # 20 rows cannot tell that
    ],
)
def test_the_ensemble_is_preferred_within_the_spread_of_the_runs_and_the_noise_of_the_rows(
    ensemble: float | None, runs: list[float | None], rows: int, expected: bool
) -> None:
    is_better, reason = compare_validation_scores(ensemble, runs, "mcc", rows=rows)
    assert is_better is expected
    assert reason.endswith(".")


def test_an_ensemble_that_costs_too_much_is_refused_with_the_cost() -> None:
    affordable = {"memory_bytes": 500 * MB, "free_bytes": 1000 * MB}
    assert find_excessive_cost(5, 90 * MB, **affordable) is None
    assert find_excessive_cost(5, 90 * MB, memory_bytes=500 * MB, free_bytes=None) is None
    many = find_excessive_cost(MAX_AUTO_MEMBERS + 1, MB, **affordable)
    assert "11 passes" in (many or "")
    memory = find_excessive_cost(6, 90 * MB, **affordable)
    assert "540 MB" in (memory or "")
    disk = find_excessive_cost(5, 90 * MB, memory_bytes=500 * MB, free_bytes=795 * MB)
    assert "796 MB of free disk space" in (disk or "")  # 5 + 1 copies of 90 MB, and 256 MB


def make_job(**artifacts: str) -> Job:
    request = StoredRequest(artifacts=RequestedArtifacts.model_validate(artifacts))
    return Job(**{**job_values(), "request": request})


def store_runs(context: WorkerContext, count: int, **values: object) -> list[Run]:
    """Return ended runs whose predictions are stored."""
    runs = [
        Run(
            id=f"r{index}",
            index=index,
            status="succeeded",
            degenerate=False,
            validation_score=0.5,
            artifacts=f"runs/r{index}/1",
            **values,
        )
        for index in range(count)
    ]
    for run in runs:
        text = json.dumps({"rows": make_rows([0.2, 0.9, 0.8, 0.1, 0.7, 0.3, 0.2, 0.9])})
        context.storage.put_bytes(f"{run.artifacts}/predictions.json", text.encode())
    return runs


def decide(context: WorkerContext, runs: list[Run], **artifacts: str) -> Publication:
    return decide_publication(context, make_job(**artifacts), runs, [], MB)


def test_what_is_published_follows_the_request(context: WorkerContext) -> None:
    runs = store_runs(context, 3)
    kinds = {
        (): "ensemble",
        (("publish", "best_run"),): "best_run",
        (("publish", "ensemble"),): "ensemble",
        (("keep", "best_run"),): "best_run",
        (("keep", "all_runs"),): "best_run",
        (("keep", "all_runs"), ("publish", "ensemble")): "ensemble",
        (("keep", "none"),): None,
    }
    for artifacts, kind in kinds.items():
        publication = decide(context, runs, **dict(artifacts))
        assert publication.kind == kind, artifacts
        assert publication.denied is None
        assert publication.ensemble is not None
        assert publication.ensemble.get_split("validation")["accuracy"] == 1.0


def test_two_runs_are_an_ensemble_only_if_asked(context: WorkerContext) -> None:
    runs = store_runs(context, 2)
    assert decide(context, runs).kind == "best_run"
    assert decide(context, runs, publish="ensemble").kind == "ensemble"


def test_an_ensemble_that_cannot_be_served_is_denied(context: WorkerContext) -> None:
    runs = store_runs(context, 3)
    runs[0].artifacts = None  # its model was deleted; its predictions remain
    context.storage.put_bytes(
        "predictions/r0.json", b"".join(context.storage.stream("runs/r0/1/predictions.json"))
    )
    for publish, denied in (("auto", None), ("ensemble", True)):
        publication = decide(context, runs, publish=publish)
        assert (publication.kind, publication.denied) == ("best_run", denied)
        assert publication.ensemble is not None
        assert len(publication.ensemble.run_ids) == 3


def test_degenerate_and_failed_runs_are_no_members(context: WorkerContext) -> None:
    runs = store_runs(context, 4)
    runs[1].degenerate, runs[2].status = True, "failed"
    ensemble = score_ensemble(context, make_job(), runs)
    assert ensemble is not None
    assert ensemble.run_ids == ["r0", "r3"]
    runs[3].degenerate = True
    assert score_ensemble(context, make_job(), runs) is None
