"""Migrations upgrade older databases, refuse newer ones, and create ``shared.db.tables``."""

import json

import pytest
from alembic import command
from sqlalchemy import inspect, text

from shared.db.metrics import Metrics, Point
from shared.db.migrate import (
    DatabaseTooNew,
    apply_migrations,
    build_config,
    get_current_revision,
    get_head_revision,
)
from shared.db.session import Database, make_engine
from shared.db.tables import File, Job, Run
from shared.domain.stored import dump_stored
from shared.recipe import Recipe


def test_the_migrations_make_the_tables(database_url: str) -> None:
    apply_migrations(database_url)
    engine = make_engine(database_url)
    command.check(build_config(engine))  # raises where the two differ
    assert get_current_revision(engine) == get_head_revision()
    engine.dispose()


def test_an_older_database_is_migrated_with_what_is_in_it(database_url: str) -> None:
    engine = make_engine(database_url)
    command.upgrade(build_config(engine), "0001")
    assert "idempotency_keys" not in inspect(engine).get_table_names()
    row = "INSERT INTO files (id, owner_id, filename, purpose, bytes, sha256, status, created_at) "
    with engine.begin() as connection:
        connection.execute(
            text(
                row
                + "VALUES ('file-old', 'local', 'old.csv', 'fine-tune', 3, 'abc', 'processed', 1.5)"
            )
        )
    engine.dispose()

    apply_migrations(database_url)
    apply_migrations(database_url)  # and once more, as every start does
    database = Database(database_url)
    with database.read() as session:
        file = session.get_one(File, "file-old")
    assert (file.filename, file.created_at) == ("old.csv", 1.5)
    assert "idempotency_keys" in inspect(database.engine).get_table_names()
    database.dispose()


OLD_JOB = {
    "task": {
        "type": "single_label_classification",
        "text_column": "text",
        "text_pair_column": None,
        "label_column": "label",
        "header": True,
        "label_names": ["no", "yes"],
        "positive_label": "yes",
        "max_seq_length": 128,
    },
    "recipe": {
        "version": 1,
        "preset": "debiased",
        "learning_rate": 2e-05,
        "bias_correction": True,
        "num_train_epochs": None,
        "max_steps": 9,
        "reinit_pooler": False,
        "reinit_layers": 0,
    },
    "dataset": {"rows": {"train": 40, "validation": 10, "test": 0}, "training_sha256": "0"},
}
"""JSON of a job from before precision, leakage and others were stored."""


def test_making_a_table_anew_loses_no_row_that_refers_to_it(database_url: str) -> None:
    engine = make_engine(database_url)
    command.upgrade(build_config(engine), "0003")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO jobs (id, owner_id, model, training_file, seed, request, "
                "task, split, resolved_recipe, recipe_notes, "
                "metric, threads, dataset, baselines, warnings, status, result_files, "
                "created_at) VALUES ('ftjob-old', 'local', "
                "'m', 'file-old', 0, '{}', :task, '{}', :recipe, '{}', 'mcc', 1, :dataset, '{}', "
                "'[]', 'succeeded', '[]', 1)"
            ),
            {name: json.dumps(value) for name, value in OLD_JOB.items()},
        )
        connection.execute(
            text(
                'INSERT INTO runs (id, job_id, owner_id, "index", purpose, seed, '
                "init_seed, data_seed, status, total_steps, "
                "diagnosis, created_at) VALUES ('ftrun-old', 'ftjob-old', 'local', 0, "
                "'main', 0, 0, 0, 'succeeded', 9, '[]', 1)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO metrics (run_id, name, step, value) VALUES ('ftrun-old', "
                "'train_loss', 1, 0.5)"
            )
        )
    engine.dispose()

    apply_migrations(database_url)
    database = Database(database_url)
    with database.read() as session:
        run = session.get_one(Run, "ftrun-old")
        points = Metrics(session).list_points(run.id)
        job = session.get_one(Job, run.job_id)
        assert (run.held, run.recipe) == (False, None)
    stored = {"task": job.task, "recipe": job.resolved_recipe, "dataset": job.dataset}
    assert {name: dump_stored(model) for name, model in stored.items() if model} == OLD_JOB
    assert isinstance(job.resolved_recipe, Recipe)
    assert job.resolved_recipe.precision == "float32"
    assert points == [Point("train_loss", 1, 0.5)]
    database.dispose()


def test_a_newer_database_is_refused_and_left_alone(database_url: str) -> None:
    apply_migrations(database_url)
    engine = make_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseTooNew, match=r"9999.*newer Evenkeel"):
        apply_migrations(database_url)
    assert get_current_revision(engine) == "9999"
    engine.dispose()
