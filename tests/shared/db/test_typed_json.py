"""JSON columns: the text that rows hold, and rows that another version wrote."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.domain.early_discard import DecidedDiscard, DiscardSettings
from shared.domain.errors import Reason
from shared.domain.job_facts import DatasetFacts, JobWarning, RowCounts
from shared.domain.job_request import RequestedRecipe, StoredRequest
from shared.domain.stored import StoredModel, dump_stored
from shared.domain.task import ForeignTask
from shared.recipe.value import ForeignRecipe
from tests.conftest import new_database
from tests.rows import DATASET, RECIPE, TASK, add_job


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = new_database(request, request.param, tmp_path)
    apply_migrations(url)
    database = Database(url)
    yield database
    database.dispose()


def read_text(session: Session, column: str, job_id: str) -> str | None:
    query = text(f"SELECT CAST({column} AS TEXT) FROM jobs WHERE id = :id")
    found: str | None = session.execute(query, {"id": job_id}).scalar_one()
    return found


def write_text(database: Database, column: str, job_id: str, value: str) -> None:
    with database.write() as session:
        query = text(f"UPDATE jobs SET {column} = :value WHERE id = :id")
        session.execute(query, {"value": value, "id": job_id})


TEXTS: list[tuple[str, Any, str | None]] = [
    (
        "error",
        Reason(code="c", message="é", param=None),
        '{"code": "c", "message": "\\u00e9", "param": null}',
    ),
    ("error", None, None),
    ("warnings", [JobWarning(code="c", message="m")], '[{"code": "c", "message": "m"}]'),
    ("metadata", {"a": "b"}, '{"a": "b"}'),
    (
        "early_discard",
        DiscardSettings(start=4, keep=2, at_fraction=0.5),
        '{"start": 4, "keep": 2, "at_fraction": 0.5}',
    ),
    (
        "dataset",
        DatasetFacts(rows=RowCounts(train=4, validation=1, test=0), labels=[], leakage={}),
        '{"rows": {"train": 4, "validation": 1, "test": 0}, "labels": [], "training_sha256": null, '
        '"validation_sha256": null, "test_sha256": null, "leakage": {}}',
    ),
    (
        "request",
        StoredRequest(recipe=RequestedRecipe(preset="debiased"), early_discard=None),
        '{"recipe": {"preset": "debiased"}, "early_discard": null}',
    ),
]


@pytest.mark.parametrize(("column", "value", "expected"), TEXTS, ids=lambda one: str(one)[:40])
def test_a_row_has_the_text_of_the_value(
    database: Database, column: str, value: Any, expected: str | None
) -> None:
    name = {"metadata": "job_metadata"}.get(column, column)
    job = add_job(database)
    with database.write() as session:
        setattr(session.get_one(Job, job.id), name, value)
    with database.read() as session:
        assert read_text(session, column, job.id) == expected
        assert getattr(session.get_one(Job, job.id), name) == value


def test_a_resolved_recipe_is_stored_with_its_defaults(database: Database) -> None:
    job = add_job(database)
    with database.read() as session:
        stored = session.get_one(Job, job.id).resolved_recipe
    assert stored == RECIPE
    assert stored is not None
    assert stored.model_fields_set == set(type(RECIPE).model_fields)


FOREIGN: list[tuple[str, dict[str, Any], type[StoredModel]]] = [
    ("resolved_recipe", {"max_steps": 4, "momentum": 0.5, "version": 2}, ForeignRecipe),
    ("task", {**TASK.model_dump(mode="json"), "max_tokens": 3}, ForeignTask),
    ("dataset", {**DATASET.model_dump(mode="json"), "more": {"a": 1}}, DatasetFacts),
    (
        "early_discard",
        {"start": 4, "keep": 2, "at_fraction": 0.5, "at_step": 5, "kept": [1]},
        DecidedDiscard,
    ),
]


@pytest.mark.parametrize(("column", "value", "model"), FOREIGN, ids=lambda one: str(one)[:40])
def test_a_row_of_another_version_keeps_its_keys(
    database: Database, column: str, value: dict[str, Any], model: type[StoredModel]
) -> None:
    job = add_job(database)
    write_text(database, column, job.id, json.dumps(value))
    with database.read() as session:
        stored = getattr(session.get_one(Job, job.id), column)
    assert isinstance(stored, model)
    assert dump_stored(stored) == value


def test_a_label_name_may_have_half_a_surrogate_pair(database: Database) -> None:
    job = add_job(database)
    task = {**TASK.model_dump(mode="json"), "label_names": ["a", "\ud800"]}
    write_text(database, "task", job.id, json.dumps(task))
    with database.read() as session:
        assert session.get_one(Job, job.id).task.label_names == ["a", "\ud800"]


def test_a_value_of_another_type_is_refused(database: Database) -> None:
    job = add_job(database)
    with pytest.raises(StatementError), database.write() as session:
        session.query(Run).where(Run.job_id == job.id).update({"error": {"code": "c"}})
