"""Comparing jobs over HTTP: what is told, kept, listed and refused."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from shared.db.metrics import Metrics, Point
from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.domain import ids
from shared.infra.settings import Settings
from tests.rows import job_values

COMPARISONS = "/v1/fine_tuning/comparisons"
LOW, HIGH = [0.60, 0.61, 0.59, 0.62, 0.60, 0.61], [0.70, 0.71, 0.69, 0.72, 0.70, 0.71]
DATASET = {
    "rows": {"train": 64, "validation": 16, "test": 0},
    "training_sha256": "a",
    "validation_sha256": None,
}


@pytest.fixture(scope="module")
def database(settings: Settings, http: TestClient) -> Iterator[Database]:
    database = Database(settings.resolved_database_url)
    yield database
    database.dispose()


def add_job(
    database: Database, scores: Sequence[float | None], preset: str = "stabilized", **values: Any
) -> str:
    """A job whose runs have ended with these validation scores and, as F1, with half of them;
    None is still queued.
    """
    job = Job(
        **{
            **job_values(),
            "dataset": DATASET,
            "resolved_recipe": {"preset": preset},
            "status": "succeeded",
            **values,
        }
    )
    runs = [
        Run(
            id=ids.run_id(),
            job_id=job.id,
            owner_id="local",
            index=seed,
            purpose="main",
            seed=seed,
            init_seed=seed,
            data_seed=seed,
            status="queued" if score is None else "succeeded",
            degenerate=None if score is None else False,
            total_steps=10,
            validation_score=score,
            result=None
            if score is None
            else {"validation": {"metrics": {"accuracy": score, "f1": score / 2}}},
            diagnosis=[],
        )
        for seed, score in enumerate(scores)
    ]
    with database.write() as session:
        session.add(job)
        session.flush()
        session.add_all(runs)
    return job.id


def compare(http: TestClient, *job_ids: str, **more: Any) -> Any:
    return http.post(COMPARISONS, json={"job_ids": list(job_ids), **more})


def test_two_jobs_with_every_test(http: TestClient, database: Database) -> None:
    a, b = add_job(database, LOW, "conventional"), add_job(database, HIGH)
    made = compare(http, a, b).json()
    assert made.keys() >= {
        "id",
        "object",
        "created_at",
        "metric",
        "split",
        "alpha",
        "jobs",
        "pairs",
    }
    assert made["id"].startswith("ftcmp-")
    assert (made["object"], made["metric"], made["split"], made["alpha"]) == (
        "fine_tuning.comparison", "accuracy", "validation", 0.05,
    )  # fmt: skip
    assert [(job["job_id"], job["preset"], job["n"]) for job in made["jobs"]] == [
        (a, "conventional", 6),
        (b, "stabilized", 6),
    ]
    [pair] = made["pairs"]
    assert (pair["a"], pair["b"], pair["difference"]) == (a, b, pytest.approx(0.1))
    tests = {test["name"]: test for test in pair["tests"]}
    assert set(tests) == {"welch", "permutation", "paired_permutation", "brown_forsythe", "fisher"}
    assert tests["permutation"]["p"] == pytest.approx(2 / 924)
    assert tests["paired_permutation"]["p"] == pytest.approx(2 / 64)  # seeds 0 to 5 of both
    assert tests["fisher"]["p"] == 1.0
    assert all(
        test["p_holm"] is None and test["alternative"] == "two-sided" for test in tests.values()
    )
    assert pair["verdict"]["code"] == "b_better"
    assert "stabilized is better than conventional by 0.100 accuracy" in pair["verdict"]["text"]


def test_it_is_kept_as_it_was_told(http: TestClient, database: Database) -> None:
    made = compare(http, add_job(database, LOW), add_job(database, HIGH)).json()
    assert http.get(f"{COMPARISONS}/{made['id']}").json() == made
    later = compare(http, add_job(database, LOW), add_job(database, HIGH)).json()
    page = http.get(COMPARISONS, params={"limit": 1}).json()
    assert (page["object"], page["has_more"], page["data"]) == ("list", True, [later])
    assert http.get(COMPARISONS, params={"limit": 1, "after": later["id"]}).json()["data"] == [made]


def test_three_seeds_a_side_are_not_enough(http: TestClient, database: Database) -> None:
    verdict = compare(http, add_job(database, LOW[:3]), add_job(database, HIGH[:3])).json()[
        "pairs"
    ][0]["verdict"]
    assert (verdict["code"], verdict["seeds_needed"]) == ("not_enough_seeds", 4)
    assert "it takes 4 seeds a job" in verdict["text"]


def test_several_jobs_are_adjusted_and_told_apart(http: TestClient, database: Database) -> None:
    jobs = [add_job(database, scores) for scores in (LOW, HIGH, LOW)]
    made = compare(http, *jobs, alpha=0.01).json()
    assert len(made["pairs"]) == 3
    assert all(test["p_holm"] is not None for pair in made["pairs"] for test in pair["tests"])
    assert (
        f"stabilized (…{jobs[1][-6:]}) is better than stabilized (…{jobs[0][-6:]})"
        in made["pairs"][0]["verdict"]["text"]
    )


def test_another_metric_of_the_same_checkpoints(http: TestClient, database: Database) -> None:
    a, b = add_job(database, LOW), add_job(database, HIGH)
    made = compare(http, a, b, metric="f1").json()
    assert (made["metric"], made["pairs"][0]["difference"]) == ("f1", pytest.approx(0.05))
    error = compare(http, a, b, metric="mcc").json()["error"]
    assert (error["code"], error["param"]) == ("jobs_not_comparable", "metric")


def test_open_jobs_are_compared_provisionally(http: TestClient, database: Database) -> None:
    made = compare(
        http, add_job(database, LOW), add_job(database, [*HIGH, None], "reinit", status="running")
    ).json()
    assert made["provisional"] is True
    assert "reinit still has open runs" in made["pairs"][0]["verdict"]["text"]


def test_a_job_whose_recipe_is_not_found_yet(http: TestClient, database: Database) -> None:
    waiting = add_job(
        database,
        [None],
        resolved_recipe=None,
        request={"recipe": {"preset": "reinit"}},
        status="running",
    )
    made = compare(http, add_job(database, LOW), waiting).json()
    assert made["jobs"][1]["preset"] == "reinit"
    assert made["pairs"][0]["verdict"]["code"] == "not_enough_seeds"


OTHER: list[tuple[dict[str, Any], str]] = [
    ({"dataset": {**DATASET, "training_sha256": "b"}}, "files"),
    ({"dataset": {**DATASET, "validation_sha256": "c"}}, "files"),
    ({"dataset": {**DATASET, "test_sha256": "c"}}, "files"),
    ({"split": {"seed": 1}}, "split"),
    ({"dataset": {**DATASET, "rows": {"train": 60, "validation": 16, "test": 4}}}, "rows"),
    ({"task": {"label_column": "other"}}, "task"),
    ({"metric": "mcc"}, "metric"),
]


@pytest.mark.parametrize(("values", "what"), OTHER, ids=lambda value: str(value)[:60])
def test_other_rows_or_another_score_are_refused(
    http: TestClient, database: Database, values: dict[str, Any], what: str
) -> None:
    answer = compare(http, add_job(database, LOW), add_job(database, HIGH, **values))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (
        400,
        "jobs_not_comparable",
        "job_ids",
    )
    assert what in error["message"]


def test_split_switches_that_are_off_make_no_difference(
    http: TestClient, database: Database
) -> None:
    older, newer = (
        add_job(database, LOW, split={"seed": 0}),
        add_job(database, HIGH, split={"seed": 0, "folds": None, "halve": False}),
    )
    assert compare(http, older, newer).status_code == 200


def test_what_is_not_understood(http: TestClient, database: Database) -> None:
    a, b = add_job(database, LOW), add_job(database, HIGH)
    for body, param in (
        ({"job_ids": [a]}, "job_ids"),
        ({"job_ids": [a, a]}, "job_ids"),
        ({"job_ids": [a, *(f"ftjob-{i}" for i in range(10))]}, "job_ids"),
        ({"job_ids": [a, b], "alpha": 0}, "alpha"),
        ({"job_ids": [a, b], "alpha": 0.6}, "alpha"),
        ({"job_ids": [a, b], "metric": "bleu"}, "metric"),
        ({"job_ids": [a, b], "test": "welch"}, "test"),
        ({}, "job_ids"),
    ):
        answer = http.post(COMPARISONS, json=body)
        assert (answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["param"]) == (
            400, "invalid_request", param,
        )  # fmt: skip


def test_unknown_ids(http: TestClient, database: Database) -> None:
    error = compare(http, add_job(database, LOW), "ftjob-none").json()["error"]
    assert (error["code"], error["param"]) == ("job_not_found", "job_ids")
    answer = http.get(f"{COMPARISONS}/ftcmp-none")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "comparison_not_found")


def test_a_report_in_full_beside_numbers_on_the_job(http: TestClient, database: Database) -> None:
    """Curves, labels and the like are worked out for the report alone: a list of jobs has to
    stay cheap.
    """
    job_id = add_job(database, HIGH, resolved_recipe=None, task={"label_names": ["no", "yes"]})
    with database.write() as session:
        for run in session.scalars(select(Run).where(Run.job_id == job_id)):
            run.result = {"validation": {"metrics": {}, "confusion": [[4, 1], [0, 5]]}}
            points = [
                Point("valid_accuracy", 5, 0.5 + run.index / 100),
                Point("valid_loss", 5, 0.1),
            ]
            Metrics(session).record(run.id, points)
    report = http.get(f"/v1/fine_tuning/jobs/{job_id}/stability").json()
    assert len(report["best_of_n"]["curve"]) == 6
    assert [
        (point["step"], point["n"], point["max"]) for point in report["learning_curve"]["points"]
    ] == [(5, 6, 0.55)]
    assert [(label["label"], label["recall"]["mean"]) for label in report["per_class"]] == [
        ("no", 0.8),
        ("yes", 1.0),
    ]
    assert report["variance"]["components"] is None
    assert "grid of both" in report["variance"]["reason"]
    on_job = http.get(f"/v1/fine_tuning/jobs/{job_id}").json()["stability"]
    assert on_job["mean"] == report["mean"]
    assert (
        not {"best_of_n", "learning_curve", "per_class", "variance", "runs", "pilots"}
        & on_job.keys()
    )
