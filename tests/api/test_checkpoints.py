"""Checkpoints over HTTP: those of kept models, each a second name of its model."""

from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import select, update

from shared.db.session import Database
from shared.db.tables import Checkpoint, Job, Metric, Model, Run
from shared.domain import ids
from shared.domain.naming import build_kept_model_id, build_model_id
from tests.api.job_requests import JOBS, create_job, get_refusal
from tests.api.scored_jobs import add_job

SCORES = [0.6, 0.8, 0.7]
BEST = 1
STEP = 7


def add_trained_job(
    database: Database, *, kept: tuple[int, ...] = (0, 1, 2), status: str = "succeeded"
) -> tuple[str, str]:
    """Add a job whose runs have checkpoints, and models for the seeds ``kept``.

    Return its id and that of its best model.
    """
    job_id = add_job(database, SCORES, model="tiny-bert", status=status)
    best = build_model_id("tiny-bert", "local", None, job_id)
    own = {"owner_id": "local", "job_id": job_id}
    with database.write() as session:
        for run in session.scalars(select(Run).where(Run.job_id == job_id)).all():
            run.best_step, run.weights_sha256 = STEP, f"weights of {run.id}"
            scores: dict[str, int | float | None] = {"valid_loss": 0.4, "valid_accuracy": 0.75}
            metrics = {"step": STEP, **scores}
            session.add(
                Checkpoint(
                    id=ids.make_checkpoint_id(), run_id=run.id, step=STEP, metrics=metrics, **own
                )
            )
            for step in (STEP - 1, STEP, STEP + 1):
                session.add(Metric(run_id=run.id, name="train_loss", step=step, value=step / 10))
            if run.seed in kept:
                name = best
                if run.seed != BEST:
                    name = build_kept_model_id(best, run.seed, run.seed, None)
                stored = {"base_model": "tiny-bert", "prefix": f"models/{name}", "labels": []}
                session.add(Model(id=name, run_id=run.id, **stored, **own))
        session.get_one(Job, job_id).fine_tuned_model = best
    return job_id, best


def list_checkpoints(http: TestClient, job_id: str) -> list[dict[str, Any]]:
    return list(http.get(f"{JOBS}/{job_id}/checkpoints").json()["data"])


def test_the_checkpoints_of_kept_models_are_listed_with_every_loss(
    http: TestClient, database: Database
) -> None:
    job_id, best = add_trained_job(database, kept=(0, BEST))
    listed = {item["seed"]: item for item in list_checkpoints(http, job_id)}
    assert {seed: item["fine_tuned_model_checkpoint"] for seed, item in listed.items()} == {
        seed: f"{best}:seed-{seed}:ckpt-step-{STEP}" for seed in (0, BEST)
    }
    assert listed[BEST]["step_number"] == STEP
    assert listed[BEST]["metrics"] == {
        "step": STEP,
        "train_loss": STEP / 10,
        "train_mean_token_accuracy": None,
        "valid_loss": 0.4,
        "valid_mean_token_accuracy": 0.75,
        "full_valid_loss": 0.4,
        "full_valid_mean_token_accuracy": 0.75,
        "valid_accuracy": 0.75,
    }


def test_the_checkpoint_of_a_distilled_model_is_listed(
    http: TestClient, database: Database
) -> None:
    job_id, _ = add_trained_job(database)
    with database.write() as session:
        best = session.scalars(select(Run).where(Run.job_id == job_id, Run.seed == BEST)).one()
        best.purpose = "distillation"
    assert {item["seed"] for item in list_checkpoints(http, job_id)} == {0, 1, 2}


def test_nothing_is_listed_of_a_job_without_models(http: TestClient, database: Database) -> None:
    for status in ("running", "succeeded", "cancelled"):
        job_id, _ = add_trained_job(database, kept=(), status=status)
        assert list_checkpoints(http, job_id) == []


def test_every_name_of_a_model_finds_it(http: TestClient, database: Database) -> None:
    _, best = add_trained_job(database)
    for name, seed in (
        (best, BEST),
        (f"{best}:ckpt-step-{STEP}", BEST),
        (f"{best}:seed-{BEST}", BEST),
        (f"{best}:seed-{BEST}:ckpt-step-{STEP}", BEST),
        (f"{best}:seed-0", 0),
        (f"{best}:seed-0:ckpt-step-{STEP}", 0),
    ):
        found = http.get(f"/v1/models/{name}").json()
        assert found["id"] == name
        with database.read() as session:
            assert session.get_one(Run, found["run_id"]).seed == seed
    assert f":ckpt-step-{STEP}" not in http.get("/v1/models").text


def test_a_name_that_no_kept_model_has_is_refused(
    http: TestClient, database: Database, file_id: str
) -> None:
    _, best = add_trained_job(database, kept=(BEST,))
    for name in (
        f"{best}:seed-{BEST}:ckpt-step-{STEP + 1}",
        f"{best}:seed-0",
        f"{best}:seed-0:ckpt-step-{STEP}",
        f"{best}:seed-{BEST}:fold-0",
        f"{best}1",
    ):
        assert get_refusal(http.get(f"/v1/models/{name}")) == (404, "model_not_found", "model")
        classified = http.post("/v1/classifications", json={"model": name, "input": "a"})
        assert get_refusal(classified) == (404, "model_not_found", "model")
        for path in (JOBS, f"{JOBS}?dry_run=true"):
            asked = {"model": name, "training_file": file_id}
            status, _, param = get_refusal(http.post(path, json=asked))
            assert (status, param) == (400, "model")


def test_a_job_starts_from_a_checkpoint_and_protects_its_model(
    http: TestClient, database: Database, file_id: str
) -> None:
    job_id, best = add_trained_job(database)
    for seed in (0, BEST):
        checkpoint = f"{best}:seed-{seed}:ckpt-step-{STEP}"
        own_name = best if seed == BEST else f"{best}:seed-{seed}"
        asked = {"model": checkpoint, "training_file": file_id}
        assert http.post(f"{JOBS}?dry_run=true", json=asked).status_code == 200
        started = create_job(http, file_id, model=checkpoint)
        assert started["model"] == checkpoint
        with database.read() as session:
            [run] = session.scalars(select(Run).where(Run.job_id == job_id, Run.seed == seed))
            digest = session.get_one(Job, started["id"]).base_weights_sha256
        assert digest == run.weights_sha256
        for path in (f"/v1/models/{own_name}", f"/v1/models/{checkpoint}", f"{JOBS}/{job_id}"):
            assert get_refusal(http.delete(path))[:2] == (400, "model_in_use")
        http.post(f"{JOBS}/{started['id']}/cancel")
        if seed != BEST:
            assert http.delete(f"/v1/models/{checkpoint}").json()["deleted"]
            assert http.get(f"/v1/models/{own_name}").status_code == 404
            assert len(list_checkpoints(http, job_id)) == len(SCORES) - 1
    assert http.delete(f"{JOBS}/{job_id}").status_code == 200


def test_no_runs_are_added_to_a_job_whose_base_model_was_replaced(
    http: TestClient, database: Database, file_id: str
) -> None:
    job_id, best = add_trained_job(database)
    started = create_job(http, file_id, model=best)["id"]
    with database.write() as session:
        [other] = session.scalars(select(Run.id).where(Run.job_id == job_id, Run.seed == 0))
        session.execute(update(Model).where(Model.id == best).values(run_id=other))
    answer = http.post(f"{JOBS}/{started}/extend", json={"num_seeds": 1})
    assert get_refusal(answer) == (400, "model_not_allowed", "fine_tuning_job_id")
    assert "has other weights" in answer.json()["error"]["message"]
