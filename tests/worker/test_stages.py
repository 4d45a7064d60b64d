"""The stages of a job as its runs' rows bring them about: pilots, release, pause and discard; by workers that may be killed anywhere.

Nothing trains here: a run is claimed and ended with the numbers that a test gives it. Both databases.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.db.jobs import Jobs
from shared.db.metrics import Metrics, Point
from shared.db.migrate import upgrade
from shared.db.runs import FenceLost, Hold, Runs
from shared.db.session import Database, Message
from shared.db.stages import pilot_runs
from shared.db.tables import Event, Job, Run
from shared.pilots import Candidate
from shared.settings import Settings
from shared.states import JobState, RunState
from shared.storage import Storage
from tests.rows import add_job
from worker import discard, job, pilots
from worker.parts import WorkerParts
from worker.supervisor import Trainer

RULE = {"preset": "stabilized", "reinit_layers": 1, "max_steps": 320}
RISING, FLAT = (0.1, 0.2, 0.3, 0.4, 0.5), (0.5,) * 5


@pytest.fixture
def rung() -> list[Message]:
    return []


@pytest.fixture
def parts(database_url: str, tmp_path: Path, rung: list[Message]) -> Iterator[WorkerParts]:
    settings = Settings(home=tmp_path, database_url=database_url)
    upgrade(database_url)

    def ring(message: Message) -> bool:
        rung.append(message)
        return True

    database = Database(database_url, ring=ring)
    yield WorkerParts(settings, database, Storage(settings.resolved_storage_url), Trainer(settings))
    database.dispose()


def row(parts: WorkerParts, job_id: str) -> Job:
    with parts.database.read() as session:
        return session.get_one(Job, job_id)


def rows(parts: WorkerParts, job_id: str, purpose: str = "main") -> list[Run]:
    with parts.database.read() as session:
        return list(Runs(session).of_job(job_id, purpose=purpose))


def events(parts: WorkerParts) -> list[str]:
    with parts.database.read() as session:
        return [event.message for event in session.query(Event).order_by(Event.seq)]


def claim(parts: WorkerParts) -> Hold | None:
    with parts.database.write() as session:
        return Runs(session).claim("w", 60.0)


def piloted_job(parts: WorkerParts, *, discard: dict[str, Any] | None = None) -> str:
    """Two held runs, and pilots of depths 0 and 1."""
    made = add_job(parts.database, runs=2)
    with parts.database.write() as session:
        stored = session.get_one(Job, made.id)
        stored.resolved_recipe, stored.early_discard = None, discard
        stored.pilots = {"automatic": ["reinit_layers", "max_steps"], "rule": RULE, "candidates": [], "steps": 4 * 320}
        stored.recipe_notes = {"reinit_layers": "1: by rule.", "max_steps": "320: by rule."}
        for run in Runs(session).of_job(made.id):
            run.held = True
        session.add_all(pilot_runs(stored, RULE, [Candidate(0, 320), Candidate(1, 320)], first=0, fold=None))
    return made.id


def end_pilots(parts: WorkerParts, scores: dict[int, float | None], *, curve: tuple[float, ...] = FLAT) -> None:
    """Train what is queued: a score by depth, None for a failure; ``curve`` at fifths of the steps."""
    while (hold := claim(parts)) is not None:
        with parts.database.write() as session:
            run = session.get_one(Run, hold.run_id)
            assert (run.purpose, run.recipe is not None) == ("pilot", True)
            score = scores[(run.recipe or {})["reinit_layers"]]
            points = [Point("valid_accuracy", (i + 1) * run.total_steps // 5, value) for i, value in enumerate(curve)]
            Runs(session).record(hold, 60.0, points)
            state = RunState.FAILED if score is None else RunState.SUCCEEDED
            Runs(session).end(hold, state, validation_score=score, degenerate=False)


def test_held_runs_are_neither_claimed_nor_rung_for_and_the_pilots_come_first(parts: WorkerParts) -> None:
    job_id = piloted_job(parts)
    with parts.database.write() as session:
        waiting = Runs(session).waiting(30.0, 100)
    assert waiting == [run.id for run in rows(parts, job_id, "pilot")]
    end_pilots(parts, {0: 0.5, 1: 0.6})
    assert claim(parts) is None
    with parts.database.read() as session:
        assert Jobs(session).to_advance(10) == [job_id]


def test_the_recipe_is_resolved_once_and_the_runs_released_and_rung_for(
    parts: WorkerParts, rung: list[Message]
) -> None:
    job_id = piloted_job(parts, discard={"start": 2, "keep": 1, "at_fraction": 0.25})
    job.advance(parts, job_id)  # pilots are still queued
    assert row(parts, job_id).resolved_recipe is None
    end_pilots(parts, {0: 0.5, 1: 0.6})
    rung.clear()
    for _ in range(3):
        job.advance(parts, job_id)
    stored, runs = row(parts, job_id), rows(parts, job_id)
    assert stored.resolved_recipe == RULE
    assert stored.pilots is not None
    assert stored.pilots["chosen"] == {"reinit_layers": 1, "max_steps": 320}
    assert stored.recipe_notes["reinit_layers"].startswith("1: pilots of 320 steps")
    assert [(run.held, run.total_steps, run.stop_step, run.status) for run in runs] == [(False, 320, 80, "queued")] * 2
    assert sorted(rung) == sorted(("run.wake", run.id) for run in runs)
    assert sum(message.startswith("Pilots have found the recipe") for message in events(parts)) == 1
    assert (stored.lease_until, stored.publish_attempts) == (None, 0)


def test_longer_pilots_follow_where_the_score_still_rises(parts: WorkerParts) -> None:
    job_id = piloted_job(parts)
    end_pilots(parts, {0: 0.5, 1: 0.4}, curve=RISING)
    for _ in range(2):
        job.advance(parts, job_id)
    added = rows(parts, job_id, "pilot")[4:]
    assert [((run.recipe or {})["reinit_layers"], run.total_steps, run.index) for run in added] == [
        (0, 640, 4),
        (0, 640, 5),
    ]
    assert len({run.seed for run in rows(parts, job_id, "pilot")}) == 2
    stored = row(parts, job_id)
    assert stored.pilots is not None
    assert (stored.resolved_recipe, stored.pilots["steps"]) == (None, 4 * 320 + 2 * 640)
    end_pilots(parts, {0: 0.505}, curve=RISING)
    job.advance(parts, job_id)
    stored = row(parts, job_id)
    assert stored.resolved_recipe == {**RULE, "reinit_layers": 0}
    assert "0.505 in 640 steps" in stored.recipe_notes["max_steps"]


def test_where_all_pilots_fail_the_rules_decide_with_a_warning(parts: WorkerParts) -> None:
    job_id = piloted_job(parts)
    end_pilots(parts, {0: None, 1: None})
    job.advance(parts, job_id)
    stored = row(parts, job_id)
    assert stored.resolved_recipe == RULE
    assert [warning["code"] for warning in stored.warnings] == ["pilots_failed"]
    assert stored.recipe_notes["reinit_layers"] == "1: by rule. (All pilots failed.)"
    assert {run.held for run in rows(parts, job_id)} == {False}


def test_a_worker_that_died_deciding_is_followed_by_another_and_can_decide_nothing_more(parts: WorkerParts) -> None:
    job_id = piloted_job(parts)
    end_pilots(parts, {0: 0.5, 1: 0.6})
    with parts.database.write() as session:
        old = Jobs(session).claim_to_advance(job_id, -1.0)
        assert old is not None
    job.advance(parts, job_id)
    assert row(parts, job_id).resolved_recipe == RULE
    with pytest.raises(FenceLost), parts.database.write() as session:
        pilots.decide(session, job_id, old)
    assert len(rows(parts, job_id, "pilot")) == 4


def test_cancelling_ends_held_and_paused_runs_without_a_worker(parts: WorkerParts) -> None:
    job_id = piloted_job(parts)
    hold = claim(parts)
    assert hold is not None
    with parts.database.write() as session:
        assert Jobs(session).wish_cancel(session.get_one(Job, job_id))
        Runs(session).wish_cancel(job_id)
        assert not Jobs(session).end_cancelled(job_id)  # a pilot trains
        Runs(session).give_back(hold)
    job.advance(parts, job_id)
    assert row(parts, job_id).status == "cancelled"
    assert {run.status for run in [*rows(parts, job_id), *rows(parts, job_id, "pilot")]} == {"cancelled"}


def discarding_job(parts: WorkerParts, keep: int) -> str:
    made = add_job(parts.database, runs=4)
    with parts.database.write() as session:
        session.get_one(Job, made.id).early_discard = {"start": 4, "keep": keep, "at_fraction": 0.5}
        for run in Runs(session).of_job(made.id):
            run.stop_step = 5
    return made.id


def pause(parts: WorkerParts, hold: Hold, score: float | None, *, degenerate: bool = False) -> None:
    state = f"runs/{hold.run_id}/{hold.fence}/state-5"
    parts.storage.put_bytes(f"{state}/state.json", b"{}")
    with parts.database.write() as session:
        Runs(session).record(hold, 60.0, [Point("train_loss", step, 0.5) for step in range(1, 6)], step=5)
        Runs(session).pause(hold, state, result={"rung": {"step": 5, "score": score, "degenerate": degenerate}})


def paused(parts: WorkerParts, keep: int, *scores: float | None) -> str:
    job_id = discarding_job(parts, keep)
    for score in scores:
        hold = claim(parts)
        assert hold is not None
        pause(parts, hold, score)
    return job_id


def test_nothing_is_decided_before_every_run_waits(parts: WorkerParts) -> None:
    job_id = paused(parts, 2, 0.5, 0.7, 0.6)
    job.advance(parts, job_id)
    assert [run.status for run in rows(parts, job_id)] == ["paused", "paused", "paused", "queued"]


def test_the_best_are_queued_to_go_on_and_the_others_discarded_with_their_states(
    parts: WorkerParts, rung: list[Message]
) -> None:
    job_id = paused(parts, 2, 0.5, 0.7, None, 0.6)
    rung.clear()
    for _ in range(3):
        job.advance(parts, job_id)
    runs = rows(parts, job_id)
    assert [run.status for run in runs] == ["discarded", "queued", "discarded", "queued"]
    assert [run.stop_step for run in runs] == [5, None, 5, None]
    assert rung == [("run.wake", run_id) for run_id in sorted((runs[1].id, runs[3].id))]
    stored = row(parts, job_id).early_discard
    assert stored is not None
    assert (stored["kept"], stored["at_step"]) == ([1, 3], 5)
    assert (stored["mean_at_rung_all"], stored["mean_at_rung_kept"]) == (pytest.approx(0.6), pytest.approx(0.65))
    assert {blob.key.split("/")[1] for blob in parts.storage.list("runs")} == {runs[1].id, runs[3].id}


def test_a_run_goes_on_from_its_state_however_often_its_worker_dies(parts: WorkerParts) -> None:
    job_id = paused(parts, 1, 0.9, 0.7, 0.6, 0.5)
    job.advance(parts, job_id)
    for attempt in (2, 3):
        hold = claim(parts)
        assert hold is not None
        with parts.database.write() as session:
            run = session.get_one(Run, hold.run_id)
            assert (run.index, run.status, run.attempt, run.step) == (0, "running", attempt, 5)
            steps = [point.step for point in Metrics(session).of_run(run.id)]
            assert steps == [1, 2, 3, 4, 5]
            Runs(session).record(hold, -1.0, [Point("train_loss", step, 0.4) for step in (6, 7)], step=7)
        with parts.database.write() as session:
            assert [lost.run_id for lost in Runs(session).take_back_expired()] == [hold.run_id]


def test_failed_runs_leave_their_places_to_others_and_the_job_ends_when_all_have(parts: WorkerParts) -> None:
    job_id = discarding_job(parts, 3)
    for score in (None, 0.4, 0.3, None):
        hold = claim(parts)
        assert hold is not None
        if score is None:
            with parts.database.write() as session:
                Runs(session).end(hold, RunState.FAILED)
        else:
            pause(parts, hold, score)
    job.advance(parts, job_id)
    assert [run.status for run in rows(parts, job_id)] == ["failed", "queued", "queued", "failed"]
    while (hold := claim(parts)) is not None:
        with parts.database.write() as session:
            Runs(session).end(hold, RunState.FAILED)
    job.advance(parts, job_id)
    assert row(parts, job_id).status == "failed"
    assert not list(parts.storage.list("runs"))


def test_a_discard_is_decided_by_the_holder_of_the_fence_alone(parts: WorkerParts) -> None:
    job_id = paused(parts, 2, 0.5, 0.7, 0.8, 0.6)
    with parts.database.write() as session:
        old = Jobs(session).claim_to_advance(job_id, -1.0)
        assert old is not None
    job.advance(parts, job_id)
    with pytest.raises(FenceLost), parts.database.write() as session:
        discard.decide(session, job_id, old)
    assert [run.status for run in rows(parts, job_id)] == ["discarded", "queued", "queued", "discarded"]


def test_an_extension_in_the_middle_of_the_end_keeps_the_job_open(parts: WorkerParts) -> None:
    made = add_job(parts.database, runs=1)
    hold = claim(parts)
    assert hold is not None
    with parts.database.write() as session:
        Runs(session).end(hold, RunState.FAILED)
    with parts.database.write() as session:
        publisher = Jobs(session).claim_to_advance(made.id, 60.0)
        assert publisher is not None
    with parts.database.write() as session:
        Jobs(session).reopen(session.get_one(Job, made.id))
        old = session.get_one(Run, hold.run_id)
        values = {"id": "ftrun-more", "index": 1, "purpose": "main", "seed": 1, "init_seed": 1, "data_seed": 1}
        session.add(Run(**values, job_id=made.id, owner_id=old.owner_id, status="queued", total_steps=10, diagnosis=[]))
    with pytest.raises(FenceLost), parts.database.write() as session:
        Jobs(session).end(made.id, publisher, JobState.FAILED)
    assert row(parts, made.id).status in ("queued", "running")
    more = claim(parts)
    assert more is not None
    assert more.run_id == "ftrun-more"
