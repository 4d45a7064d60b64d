"""Polling a job: the ETag changes if and only if a byte of the response does.

An unchanged response is not built again.
"""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Boolean, Column, Text, update

from api.jobs.presenting import job_cache
from api.jobs.presenting.presenter import get_presentation_time, present_job
from shared.db.fingerprint import IGNORED_JOB_COLUMNS, IGNORED_RUN_COLUMNS, compute_fingerprint
from shared.db.jobs import Jobs
from shared.db.metrics import Point
from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import Base
from shared.db.tables.typed_json import TypedJson
from shared.domain.early_discard import DiscardSettings
from shared.domain.errors import Reason
from shared.domain.hub_model import HubModel
from shared.domain.job_facts import (
    BaselineScore,
    DatasetFacts,
    JobWarning,
    RowCounts,
    WebhookTarget,
)
from shared.domain.job_request import StoredRequest
from shared.domain.publication import Publication
from shared.domain.states import RunState
from shared.domain.task import SplitRequest
from shared.metrics.run_result import Rung, RungResult
from shared.recipe.pilot_schemas import PilotPlan
from tests.rows import RECIPE, TASK

JOBS = "/v1/fine_tuning/jobs"
LEASE = 60.0
NOW = 2_000_000_000


@pytest.fixture
def job_id(http: TestClient, file_id: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(
        job_cache, "get_presentation_time", lambda: NOW
    )  # or the remaining seconds would change during a test
    request = {
        "training_file": file_id,
        "model": "tiny-bert",
        "recipe": {"max_steps": 40, "reinit_layers": 1, "learning_rate": 6.4e-4},
    }
    return str(http.post(JOBS, json=request).json()["id"])


def poll(http: TestClient, job_id: str, tag: str | None = None) -> Any:
    return http.get(f"{JOBS}/{job_id}", headers={} if tag is None else {"if-none-match": tag})


def test_an_unchanged_job_gives_304(http: TestClient, job_id: str) -> None:
    first = poll(http, job_id)
    tag = first.headers["etag"]
    assert first.json()["id"] == job_id
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = poll(http, job_id, known)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = poll(http, job_id, '"other"')
    assert (other.status_code, other.content) == (200, first.content)


def test_an_unknown_job_is_not_found_whatever_the_etag(http: TestClient) -> None:
    assert poll(http, "ftjob-none", "*").json()["error"]["code"] == "job_not_found"


def test_the_response_is_built_once_per_change(
    http: TestClient, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[int] = []

    def count_and_present(*arguments: Any) -> Any:
        built.append(1)
        return present_job(*arguments)

    monkeypatch.setattr(job_cache, "present_job", count_and_present)
    for tag in (None, None, "*", poll(http, job_id).headers["etag"]):
        poll(http, job_id, tag)
    assert len(built) == 1


def test_a_polled_job_equals_the_listed_one(http: TestClient, job_id: str) -> None:
    [listed] = http.get(JOBS, params={"limit": 1}).json()["data"]
    alone = poll(http, job_id).json()
    alone["progress"]["queue_position"] = None  # not part of a list
    assert alone == listed


def build_changes(database: Database, job_id: str) -> dict[str, Callable[[TestClient], None]]:
    """Return the changes that a job can undergo, in a possible order."""
    leases: list[Any] = []

    def claim(_: TestClient) -> None:
        with database.write() as session:
            first = Runs(session).list_by_job(job_id)[0]
            leases.append(Runs(session).claim_next("w", LEASE, preferred_run_id=first.id))
            Runs(session).start_job(first.id)

    def build_record(**latest: Any) -> Callable[[TestClient], None]:
        def change(_: TestClient) -> None:
            with database.write() as session:
                Runs(session).record_progress(
                    leases[0], LEASE, [Point("train_loss", latest["step"], 0.5)], **latest
                )

        return change

    def warn(_: TestClient) -> None:
        with database.write() as session:
            Jobs(session).add_warning(job_id, "truncated_texts", "3 texts were cut.")

    def end(_: TestClient) -> None:
        with database.write() as session:
            Runs(session).finish_run(
                leases[0], RunState.SUCCEEDED, step=40, validation_score=0.9, degenerate=False
            )

    return {
        "claim": claim,
        "step": build_record(step=7),
        "evaluation": build_record(step=8, validation_score=0.4),
        "warning": warn,
        "end of a run": end,
        "extend": lambda http: http.post(
            f"{JOBS}/{job_id}/extend", json={"num_seeds": 1}
        ).raise_for_status(),
        "cancel": lambda http: http.post(f"{JOBS}/{job_id}/cancel").raise_for_status(),
    }


def test_every_change_of_a_job_changes_its_etag(
    http: TestClient, job_id: str, database: Database
) -> None:
    tags = [poll(http, job_id).headers["etag"]]
    for name, change in build_changes(database, job_id).items():
        change(http)
        answer = poll(http, job_id, tags[-1])
        assert answer.status_code == 200, name
        assert answer.headers["etag"] not in tags, name
        tags.append(answer.headers["etag"])
    assert poll(http, job_id, tags[-1]).status_code == 304


def test_the_queue_position_is_part_of_the_response(
    http: TestClient, job_id: str, file_id: str, monkeypatch: Any
) -> None:
    later = http.post(
        JOBS, json={"training_file": file_id, "model": "tiny-bert", "recipe": {"max_steps": 9}}
    ).json()
    before = poll(http, later["id"])
    http.post(f"{JOBS}/{job_id}/cancel")  # changes no row of the later job
    a_second_later = get_presentation_time() + 1  # for a second, it is not counted anew
    monkeypatch.setattr(job_cache, "get_presentation_time", lambda: a_second_later)
    after = poll(http, later["id"], before.headers["etag"])
    assert after.status_code == 200
    assert after.json()["progress"]["queue_position"] < before.json()["progress"]["queue_position"]


def test_the_remaining_seconds_are_part_of_the_response(
    http: TestClient, job_id: str, database: Database, monkeypatch: Any
) -> None:
    by_name = build_changes(database, job_id)
    by_name["claim"](http)
    by_name["step"](http)
    before = poll(http, job_id).headers["etag"]
    monkeypatch.setattr(job_cache, "get_presentation_time", lambda: NOW + 100)
    assert poll(http, job_id, before).status_code == 200


OTHER_JSON_VALUES = {
    "metadata": {"changed": "1"},
    "request": StoredRequest.model_validate({"runs": {"num_seeds": 7}}),
    "task": TASK.model_copy(update={"max_seq_length": 9}),
    "split": SplitRequest(validation_fraction=0.4),
    "resolved_recipe": RECIPE.model_copy(update={"max_steps": 4_999}),
    "recipe": RECIPE.model_copy(update={"max_steps": 4_999}),
    "recipe_notes": {"max_steps": "changed"},
    "dataset": DatasetFacts(rows=RowCounts(train=1, validation=1, test=0), labels=[], leakage={}),
    "pilots": PilotPlan(automatic=["max_steps"], rule=RECIPE, candidates=[], seeds=[0], steps=9),
    "early_discard": DiscardSettings(start=4, keep=2, at_fraction=0.5),
    "baselines": {"validation": [BaselineScore(name="majority", score=0.123)]},
    "warnings": [JobWarning(code="changed", message="changed")],
    "webhook": WebhookTarget(url="https://example.org", secret="c2VjcmV0"),
    "hub_model": HubModel(repository="a/b", commit="0" * 40, files=[], facts={}),
    "error": Reason(code="changed", message="changed", param=None),
    "result_files": ["file-changed"],
    "teachers": ["ftrun-changed"],
    "publication": Publication(kind="best_run", reason="changed"),
    "result": RungResult(rung=Rung(step=3, score=0.5, degenerate=False)),
    "diagnosis": ["changed"],
    "environment": {"torch": "changed"},
}


def make_other_value(column: Column[Any]) -> Any:
    """Return a value that a new row does not have in this column."""
    if isinstance(column.type, TypedJson):
        return OTHER_JSON_VALUES[column.name]
    if isinstance(column.type, Boolean):
        return True
    return "changed" if isinstance(column.type, Text) else 4_999


KEYS = {"id", "job_id", "owner_id"}
SEEN = [
    (table, column.name)
    for table, unseen in (("jobs", IGNORED_JOB_COLUMNS), ("runs", IGNORED_RUN_COLUMNS))
    for column in Base.metadata.tables[table].columns
    if column.name not in unseen | KEYS
]
UNSEEN = [
    *(("jobs", name) for name in sorted(IGNORED_JOB_COLUMNS)),
    *(("runs", name) for name in sorted(IGNORED_RUN_COLUMNS)),
]


def set_column(database: Database, job_id: str, table: str, name: str) -> None:
    rows = Base.metadata.tables[table]
    with database.write() as session:
        run = Runs(session).list_by_job(job_id)[-1]
        key = job_id if table == "jobs" else run.id
        session.execute(
            update(rows).where(rows.c.id == key).values({name: make_other_value(rows.c[name])})
        )


def compute_digest(database: Database, job_id: str) -> str:
    with database.read() as session:
        return compute_fingerprint(session, job_id, "local").digest


def test_every_presented_column_changes_the_fingerprint(database: Database, job_id: str) -> None:
    digests = [compute_digest(database, job_id)]
    for table, name in SEEN:
        set_column(database, job_id, table, name)
        digests.append(compute_digest(database, job_id))
        assert digests[-1] != digests[-2], (table, name)


def test_no_other_column_changes_the_fingerprint_or_the_response(
    database: Database, job_id: str
) -> None:
    def serialize() -> str:
        with database.read() as session:
            return present_job(session, Jobs(session).get(job_id, "local"), NOW).model_dump_json()

    before, digest_before = serialize(), compute_digest(database, job_id)
    for table, name in UNSEEN:
        set_column(database, job_id, table, name)
    assert compute_digest(database, job_id) == digest_before
    assert serialize() == before
