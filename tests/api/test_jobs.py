"""Creating jobs over HTTP: what is resolved, what is refused and with which words."""

import csv
import io
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from shared.db.session import Database
from shared.db.tables import Metric, Run
from shared.infra.settings import Settings
from tests.make import csv_bytes, review_csv

JOBS = "/v1/fine_tuning/jobs"
GIVEN = {"reinit_layers": 1, "max_steps": 40}
"""Nothing is left to find out."""


def create(http: TestClient, file_id: str, **request: Any) -> Any:
    return http.post(JOBS, json={"training_file": file_id, "model": "tiny-bert", **request})


def test_the_recipe_is_resolved_and_stored_with_its_reasons(http: TestClient, file_id: str) -> None:
    job = create(http, file_id, metadata={"team": "films"}, seed=5, recipe=GIVEN).json()
    recipe = job["resolved_recipe"]
    assert (recipe["preset"], recipe["bias_correction"], recipe["reinit_pooler"]) == (
        "stabilized",
        True,
        True,
    )
    assert recipe["learning_rate"] == pytest.approx(2e-5 * 1024 / 32, rel=0.01)
    assert (recipe["max_steps"], recipe["reinit_layers"]) == (40, 1)
    assert set(job["recipe_notes"]) == {"learning_rate", "precision"}
    assert job["recipe_notes"]["precision"].startswith(f"{recipe['precision']}: ")
    assert job["recipe"] == GIVEN
    assert (job["pilots"], job["early_discard"]) == (None, None)
    assert job["dataset"]["rows"] == {"train": 32, "validation": 8, "test": 0}
    assert job["seed"] == 5
    assert job["runs_summary"]["total"] == 5
    assert [warning["code"] for warning in job["warnings"]] == ["small_validation_set"]
    assert http.get(f"{JOBS}/{job['id']}").json()["resolved_recipe"] == recipe
    runs = http.get(f"{JOBS}/{job['id']}/runs").json()
    assert [run["seed"] for run in runs["data"]] == [5, 6, 7, 8, 9]
    assert (runs["first_id"], runs["has_more"]) == (runs["data"][0]["id"], False)
    one = http.get(f"{JOBS}/{job['id']}/runs/{runs['first_id']}").json()
    assert one == runs["data"][0] | {"evidence": None}


def test_precision_as_asked_for(http: TestClient, file_id: str) -> None:
    for precision in ("float32", "bfloat16"):
        job = create(http, file_id, recipe=GIVEN | {"precision": precision}).json()
        assert job["resolved_recipe"]["precision"] == precision
        assert "precision" not in job["recipe_notes"]
    refused = create(http, file_id, recipe=GIVEN | {"precision": "float16"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "recipe.precision")


def test_the_conventional_control(http: TestClient, file_id: str) -> None:
    recipe = create(http, file_id, recipe={"preset": "conventional"}).json()["resolved_recipe"]
    assert (recipe["bias_correction"], recipe["reinit_layers"], recipe["reinit_pooler"]) == (
        False,
        0,
        False,
    )
    assert (recipe["num_train_epochs"], recipe["max_steps"]) == (3.0, 3)


def test_the_rate_is_the_same_under_every_preset(http: TestClient, file_id: str) -> None:
    presets = ("stabilized", "conventional", "debiased", "reinit", "longer")
    jobs = [create(http, file_id, recipe={"preset": name}).json() for name in presets]
    recipes = [job["resolved_recipe"] or job["pilots"]["rule"] for job in jobs]
    assert len({recipe["learning_rate"] for recipe in recipes}) == 1


def test_what_a_family_cannot_do_is_refused_when_asked_for_and_left_out_of_a_preset(
    http: TestClient, file_id: str
) -> None:
    refused = create(http, file_id, model="tiny-roberta", recipe={"reinit_pooler": True})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "recipe.reinit_pooler"
    assert "no pre-trained pooler" in refused.json()["error"]["message"]
    job = create(
        http, file_id, model="tiny-roberta", recipe={"reinit_layers": 1, "max_steps": 9}
    ).json()
    assert job["resolved_recipe"]["reinit_pooler"] is False
    assert "no pre-trained pooler" in job["recipe_notes"]["reinit_pooler"]


@pytest.mark.parametrize("where", ["hyperparameters", "method"])
def test_the_hosted_apis_hyperparameters(http: TestClient, file_id: str, where: str) -> None:
    given = {"n_epochs": 4, "batch_size": 8, "learning_rate_multiplier": 0.5}
    wrapped = (
        given
        if where == "hyperparameters"
        else {"type": "supervised", "supervised": {"hyperparameters": given}}
    )
    given_depth = {"reinit_layers": 1}
    job = create(http, file_id, recipe=given_depth, **{where: wrapped}).json()
    plain = create(http, file_id, recipe=GIVEN).json()
    assert job["resolved_recipe"]["max_steps"] == 16
    assert job["resolved_recipe"]["learning_rate"] == pytest.approx(
        plain["resolved_recipe"]["learning_rate"] / 2
    )
    assert job["hyperparameters"] == {
        "n_epochs": 4,
        "batch_size": 8,
        "learning_rate_multiplier": 0.5,
    }
    assert "n_epochs_taken_at_its_word" in [warning["code"] for warning in job["warnings"]]
    piloted = create(http, file_id, **{where: wrapped}).json()
    assert piloted["resolved_recipe"] is None
    assert piloted["hyperparameters"] == given  # as asked, until the recipe is known


REFUSED: list[tuple[dict[str, Any], str | None, str]] = [
    ({"colour": "red"}, "colour", "invalid_request"),
    ({"recipe": {"learningrate": 1}}, "recipe.learningrate", "invalid_request"),
    ({"recipe": {"learning_rate": -1}}, "recipe.learning_rate", "invalid_request"),
    ({"recipe": {"learning_rate": "fast"}}, "recipe.learning_rate", "invalid_request"),
    ({"recipe": {"max_steps": 0}}, "recipe.max_steps", "invalid_request"),
    ({"recipe": {"max_steps": 10, "num_train_epochs": 2}}, "recipe", "invalid_request"),
    ({"recipe": {"preset": "magic"}}, "recipe.preset", "invalid_request"),
    ({"recipe": {"reinit_layers": 4}}, "recipe.reinit_layers", "invalid_value"),
    (
        {"recipe": {"num_train_epochs": 2}, "hyperparameters": {"n_epochs": 3}},
        "recipe.num_train_epochs",
        "invalid_value",
    ),
    ({"runs": {"num_seeds": 0}}, "runs.num_seeds", "invalid_request"),
    ({"runs": {"num_seeds": 10**9}}, "runs.num_seeds", "invalid_request"),
    ({"runs": {"seeds": [1, 1]}}, "runs", "invalid_request"),
    ({"runs": {"seeds": [1], "num_seeds": 1}}, "runs", "invalid_request"),
    ({"runs": {"init_seeds": [1, 2]}}, "runs", "invalid_request"),
    ({"runs": {"init_seeds": [1], "data_seeds": [1], "num_seeds": 2}}, "runs", "invalid_request"),
    ({"runs": {"num_seeds": 101, "data_seeds": [1, 2]}}, "runs", "invalid_value"),
    ({"early_discard": {"start": 4, "keep": 4}}, "early_discard", "invalid_request"),
    (
        {"early_discard": {"start": 4, "keep": 2, "at_fraction": 0.95}},
        "early_discard.at_fraction",
        "invalid_request",
    ),
    ({"early_discard": {"start": 4, "keep": 2}, "runs": {"num_seeds": 4}}, None, "invalid_request"),
    (
        {"early_discard": {"start": 4, "keep": 2}, "recipe": {**GIVEN, "max_steps": 1}},
        "early_discard",
        "invalid_value",
    ),
    ({"model": "ft:tiny-bert:local::00000000"}, "model", "model_not_allowed"),
    ({"seed": -1}, "seed", "invalid_request"),
    ({"seed": 2**31 - 1}, "seed", "invalid_value"),
    ({"seed": "one"}, "seed", "invalid_request"),
    ({"model": "../../etc/passwd"}, "model", "model_not_allowed"),
    ({"model": "http://127.0.0.1/x"}, "model", "model_not_allowed"),
    ({"model": "bert-enormous"}, "model", "model_not_allowed"),
    ({"suffix": "a b/c"}, "suffix", "invalid_request"),
    ({"metadata": {"k": "v" * 513}}, "metadata.k", "invalid_request"),
    ({"task": {"text_column": "nope"}}, "task.text_column", "invalid_value"),
    ({"task": {"label_column": 17}}, "task.label_column", "invalid_value"),
    ({"task": {"max_seq_length": 100_000}}, "task.max_seq_length", "invalid_request"),
    ({"task": {"max_seq_length": 4096}}, "task.max_seq_length", "invalid_value"),
    ({"task": {"type": "regression"}}, "task.label_column", "invalid_value"),
    ({"evaluation": {"metric": "pearson"}}, "evaluation.metric", "invalid_value"),
    (
        {"recipe": {"class_weights": {"good": 2.0, "bed": 1.0}}},
        "recipe.class_weights",
        "invalid_value",
    ),
    ({"recipe": {"class_weights": {"good": 0.0}}}, "recipe.class_weights", "invalid_request"),
    ({"split": {"k": 5}}, "split.k", "invalid_value"),
    ({"split": {"mode": "kfold", "k": 1}}, "split.k", "invalid_request"),
    (
        {"split": {"mode": "kfold", "validation_fraction": 0.2}},
        "split.validation_fraction",
        "invalid_value",
    ),
    (
        {"split": {"mode": "kfold", "halve_validation": True}},
        "split.halve_validation",
        "invalid_value",
    ),
    (
        {"split": {"halve_validation": True, "test_fraction": 0.2}},
        "split.halve_validation",
        "invalid_value",
    ),
    ({"split": {"group_by": "author"}}, "split.group_by", "invalid_value"),
    ({"split": {"group_by": 7}}, "split.group_by", "invalid_value"),
    ({"split": {"validation_fraction": 0.9}}, "split.validation_fraction", "invalid_request"),
    ({"evaluation": {"metric": "bleu"}}, "evaluation.metric", "invalid_request"),
    ({"hyperparameters": {"n_epochs": 51}}, "hyperparameters.n_epochs", "invalid_request"),
    ({"method": {"type": "dpo"}}, "method.type", "invalid_request"),
]


@pytest.mark.parametrize(("request_", "param", "code"), REFUSED, ids=lambda value: str(value)[:50])
def test_what_is_not_understood_is_refused_by_name(
    http: TestClient, file_id: str, request_: dict[str, Any], param: str | None, code: str
) -> None:
    answer = create(http, file_id, **request_)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"].endswith(".")


def test_unknown_files(http: TestClient, file_id: str) -> None:
    for request, param in (
        ({"training_file": "file-none"}, "training_file"),
        ({"validation_file": "file-none"}, "validation_file"),
        ({"test_file": "file-none"}, "test_file"),
    ):
        answer = create(http, file_id, **request)
        assert (answer.status_code, answer.json()["error"]["param"]) == (404, param)


def test_a_validation_file_with_an_unknown_label(http: TestClient, file_id: str) -> None:
    other = http.post(
        "/v1/files",
        files={"file": ("v.csv", csv_bytes([("a text", "good"), ("another", "so-so")]))},
    ).json()
    answer = create(http, file_id, validation_file=other["id"])
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "validation_file")
    assert "Row 2" in answer.json()["error"]["message"]


def test_a_file_with_broken_rows_is_refused_with_the_first_of_them(http: TestClient) -> None:
    content = review_csv(20) + b"too,many,cells\r\n"
    file = http.post("/v1/files", files={"file": ("broken.csv", content)}).json()
    assert file["status"] == "processed"
    assert file["profile"]["valid"] is False
    answer = create(http, file["id"])
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "training_file")
    assert "row 21" in answer.json()["error"]["message"]


def test_a_file_in_use_cannot_be_deleted(http: TestClient) -> None:
    file = http.post("/v1/files", files={"file": ("r.csv", review_csv(30))}).json()
    job = create(http, file["id"]).json()
    answer = http.delete(f"/v1/files/{file['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "file_in_use")
    assert job["id"] in answer.json()["error"]["message"]


def test_the_same_key_makes_one_job(http: TestClient, file_id: str) -> None:
    headers = {"Idempotency-Key": "once-0001"}
    request = {"training_file": file_id, "model": "tiny-bert"}
    first, second = (http.post(JOBS, json=request, headers=headers).json() for _ in range(2))
    assert first["id"] == second["id"]
    other = http.post(JOBS, json={**request, "seed": 9}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (400, "idempotency_key_reused")


def test_listing_by_pages_and_metadata(http: TestClient, file_id: str) -> None:
    made = [
        create(http, file_id, metadata={"batch": "pages", "n": str(n)}).json()["id"]
        for n in range(5)
    ]
    seen, after = [], None
    while True:
        query: dict[str, str | int] = {
            "limit": 2,
            "metadata[batch]": "pages",
            **({"after": after} if after else {}),
        }
        page = http.get(JOBS, params=query).json()
        seen += [job["id"] for job in page["data"]]
        if not page["has_more"]:
            break
        after = page["last_id"]
    assert seen == made[::-1]
    assert http.get(JOBS, params={"order_by": "x"}).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/runs",
        "/events",
        "/checkpoints",
        "/stability",
        "/runs/ftrun-x",
        "/runs/ftrun-x/metrics",
    ],
)
def test_unknown_jobs(http: TestClient, path: str) -> None:
    answer = http.get(f"{JOBS}/ftjob-none{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "job_not_found")


def test_a_job_without_a_worker_waits_and_says_so(http: TestClient, file_id: str) -> None:
    job = create(http, file_id).json()
    assert job["status"] == "queued"
    assert job["progress"]["queue_position"] > 0
    report = http.get(f"{JOBS}/{job['id']}/stability").json()
    assert (report["provisional"], report["n"], report["mean"]) == (True, 0, None)
    cancelled = http.post(f"{JOBS}/{job['id']}/cancel").json()
    assert cancelled["runs_summary"]["cancelled"] == 5


def test_the_report_s_runs_as_a_table(http: TestClient, file_id: str) -> None:
    job = create(http, file_id, recipe=GIVEN, seed=3).json()
    answer = http.get(f"{JOBS}/{job['id']}/stability.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["seed"], row["status"], row["score"]) for row in table] == [
        (str(seed), "queued", "") for seed in range(3, 8)
    ]
    assert [row["run_id"] for row in table] == [
        run["id"] for run in http.get(f"{JOBS}/{job['id']}/runs").json()["data"]
    ]


def test_the_report_as_a_page(http: TestClient, file_id: str, settings: Settings) -> None:
    job = create(http, file_id, recipe=GIVEN, seed=3, runs={"num_seeds": 2}).json()
    database = Database(settings.resolved_database_url)
    with database.write() as session:
        for run in session.scalars(
            select(Run).where(Run.job_id == job["id"], Run.purpose == "main")
        ):
            run.status, run.step, run.validation_score = "succeeded", 4, 0.5 + run.seed / 100
            points = [
                Metric(run_id=run.id, name=name, step=4, value=0.5)
                for name in ("valid_loss", "valid_accuracy")
            ]
            session.add_all(points)
    database.dispose()
    answer = http.get(f"{JOBS}/{job['id']}/stability.html")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert job["id"] in answer.text
    assert answer.text.count("<svg") >= 2  # every seed's score, and the curves
    assert "<script" not in answer.text
    assert http.get(f"{JOBS}/ftjob-none/stability.html").status_code == 404


def test_a_recipe_s_settings_in_the_method(http: TestClient, file_id: str) -> None:
    given = {"preset": "debiased", "max_steps": 12, "learning_rate_multiplier": 0.5, "mixout": 0.1}
    method = {"type": "supervised", "supervised": {"hyperparameters": given}}
    by_method = create(http, file_id, method=method).json()
    recipe = {"preset": "debiased", "max_steps": 12, "mixout": 0.1}
    by_recipe = create(
        http, file_id, recipe=recipe, hyperparameters={"learning_rate_multiplier": 0.5}
    ).json()
    assert by_method["resolved_recipe"] == by_recipe["resolved_recipe"]
    assert by_method["recipe"] == recipe
    both = create(http, file_id, method=method, recipe={"max_steps": 12, "eval_points": 3})
    assert both.json()["recipe"] == {**recipe, "eval_points": 3}
    for other, param in (
        ({"recipe": {"max_steps": 13}}, "recipe.max_steps"),
        ({"recipe": {"num_train_epochs": 2}}, "recipe"),
        (
            {"hyperparameters": {"learning_rate_multiplier": 2}},
            "hyperparameters.learning_rate_multiplier",
        ),
        ({"hyperparameters": {"n_epochs": 2}}, "recipe.max_steps"),
    ):
        answer = create(http, file_id, method=method, **other)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
