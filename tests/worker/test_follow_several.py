"""Runs side by side in one trainer: each is recorded, stopped and ended by itself; a scripted
trainer speaks, the database is real.
"""

from collections.abc import Callable
from itertools import chain, zip_longest
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import update

from shared.db.metrics import Metrics
from shared.db.migrate import upgrade
from shared.db.session import Database
from shared.db.tables import Run
from shared.domain.errors import Reason
from tests.worker.script import (
    STEPS,
    ForgetfulDatabase,
    Said,
    ScriptedTrainer,
    claimed_runs,
    finished,
    followed,
    say,
    training,
)
from worker.runs import monitor
from worker.runs.outcomes import Died, Failed, Finished, Outcome, Stopped, StopReason
from worker.trainer.process import TrainerDied, TrainerMessage

NAN_LOSS = Reason(code="nan_loss", message="The loss is not a number.", param=None)
UNFORESEEN = Reason(code="internal_error", message="RuntimeError: device-side assert", param=None)


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    upgrade(url)
    return url


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction and a look at the flags for every line."""
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)
    monkeypatch.setattr("worker.db_retry.RETRY_INTERVAL_S", 0.0)


def in_lockstep(run_ids: list[str]) -> list[TrainerMessage]:
    lines = zip_longest(*map(training, run_ids))
    return list(chain.from_iterable(lines))


def last(run_id: str, **line: object) -> TrainerMessage:
    return {"run_id": run_id, **line}


def rows(url: str) -> list[Run]:
    database = Database(url)
    with database.read() as session:
        found = session.query(Run).order_by(Run.index).all()
    database.dispose()
    return found


def changing(url: str, run_id: str, **values: object) -> Callable[[], None]:
    """What somebody else does to the run's row meanwhile."""

    def change() -> None:
        database = Database(url)
        with database.write() as session:
            session.execute(update(Run).where(Run.id == run_id).values(**values))
        database.dispose()

    return change


def everything(
    url: str, folder: Path, script: list[Said]
) -> tuple[dict[str, Outcome], ScriptedTrainer]:
    trainer = ScriptedTrainer(script)
    return dict(followed(url, folder, trainer)), trainer


def quiet(times: int) -> list[Said]:
    return [None] * times


@pytest.mark.parametrize("kind", [Database, ForgetfulDatabase])
def test_every_point_of_every_run_once_even_if_answers_get_lost(
    url: str, tmp_path: Path, kind: type[Database]
) -> None:
    ids = claimed_runs(url, 3)
    trainer, database = ScriptedTrainer([*in_lockstep(ids), *map(finished, ids)]), kind(url)
    outcomes = dict(followed(url, tmp_path, trainer, database))
    database.dispose()
    assert [type(outcomes[run_id]) for run_id in ids] == [Finished] * 3
    for run in rows(url):
        assert (run.step, run.validation_score, run.best_step, run.device) == (12, 1.0, 12, "cpu")
        plain = Database(url)
        with plain.read() as session:
            points = Metrics(session).of_run(run.id)
        plain.dispose()
        assert [point.step for point in points if point.name == "train_loss"] == list(
            range(1, STEPS + 1)
        )
        assert [point.step for point in points if point.name == "valid_loss"] == [4, 8, 12]


def test_points_of_all_runs_go_in_one_transaction(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 60.0)
    ids = claimed_runs(url, 3)
    database = ForgetfulDatabase(url)
    database.writes = 1  # the answer to the first is not lost
    script = [*in_lockstep(ids), last("ftrun-1", failed=NAN_LOSS), *map(finished, ids[1:])]
    for run_id, outcome in followed(url, tmp_path, ScriptedTrainer(script), database):
        if run_id == "ftrun-1":
            assert isinstance(outcome, Failed)
            assert [run.step for run in rows(url)] == [STEPS] * 3
            assert database.writes == 2
    database.dispose()


def test_a_run_s_end_is_told_while_others_go_on(url: str, tmp_path: Path) -> None:
    ids = claimed_runs(url, 2)
    ends = followed(
        url,
        tmp_path,
        ScriptedTrainer(
            [last("ftrun-2", failed=NAN_LOSS), *training("ftrun-1"), finished("ftrun-1")]
        ),
    )
    assert next(ends) == ("ftrun-2", Failed(NAN_LOSS))
    assert rows(url)[0].step == 0
    [(run_id, outcome)] = ends
    assert (run_id, type(outcome)) == (ids[0], Finished)
    assert rows(url)[0].step == STEPS


def test_cancelling_one_leaves_the_others_alone(url: str, tmp_path: Path) -> None:
    ids = claimed_runs(url, 3)
    steps = in_lockstep(ids)
    late = say(
        "step",
        run_id="ftrun-2",
        step=13,
        train_loss=1.0,
        learning_rate=0.1,
        grad_norm=1.0,
        part_grad_norms={},
    )
    script: list[Said] = [
        *steps[:9],
        changing(url, "ftrun-2", cancel_requested=True),
        late,
        last("ftrun-2", stopped=True),
        *(line for line in steps[9:] if line["run_id"] != "ftrun-2"),
        *(finished(run_id) for run_id in ids if run_id != "ftrun-2"),
    ]
    outcomes, trainer = everything(url, tmp_path, script)
    assert outcomes["ftrun-2"] == Stopped(StopReason.CANCELLED)
    assert [type(outcomes[run_id]) for run_id in ("ftrun-1", "ftrun-3")] == [Finished] * 2
    assert (trainer.asked, trainer.killed) == (["ftrun-2"], False)
    assert [run.step for run in rows(url)] == [
        12,
        2,
        12,
    ]  # what it says after it was told to stop is not stored


def test_a_run_that_finishes_although_it_is_to_stop_is_cancelled(url: str, tmp_path: Path) -> None:
    ids = claimed_runs(url, 2)
    script: list[Said] = [changing(url, "ftrun-1", cancel_requested=True), *map(finished, ids)]
    outcomes, _ = everything(url, tmp_path, script)
    assert outcomes["ftrun-1"] == Stopped(StopReason.CANCELLED)
    assert isinstance(outcomes["ftrun-2"], Finished)


def test_one_that_does_not_stop_costs_the_trainer_and_nobody_else_anything(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "STOP_TIMEOUT_S", 0.0)
    ids = claimed_runs(url, 3)
    script: list[Said] = [
        *in_lockstep(ids)[:9],
        changing(url, "ftrun-2", cancel_requested=True),
        *quiet(3),
    ]
    outcomes, trainer = everything(url, tmp_path, script)
    assert trainer.killed
    assert outcomes == {
        "ftrun-1": Stopped(StopReason.TRAINER_KILLED),
        "ftrun-2": Stopped(StopReason.CANCELLED),
        "ftrun-3": Stopped(StopReason.TRAINER_KILLED),
    }


def test_a_run_that_was_taken_back_is_stopped_without_haste_and_written_no_more(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        monitor, "STOP_TIMEOUT_S", 0.0
    )  # were there any haste, the trainer would be killed
    ids = claimed_runs(url, 2)
    one, other = (training(run_id) for run_id in ids)
    script: list[Said] = [
        *one[:3],
        *other[:3],
        changing(url, "ftrun-1", fence=7, status="queued", lease_until=None),
        *one[3:6],
        *other[3:],
        last("ftrun-1", stopped=True),
        finished("ftrun-2"),
    ]
    outcomes, trainer = everything(url, tmp_path, script)
    assert outcomes["ftrun-1"] == Stopped(StopReason.LEASE_LOST)
    assert isinstance(outcomes["ftrun-2"], Finished)
    assert (trainer.asked, trainer.killed) == (["ftrun-1"], False)
    assert [run.step for run in rows(url)] == [2, 12]


def test_a_run_alone_that_was_taken_back_is_stopped_by_force(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "STOP_TIMEOUT_S", 0.0)
    claimed_runs(url, 1)
    script: list[Said] = [changing(url, "ftrun-1", fence=7), *quiet(3)]
    outcomes, trainer = everything(url, tmp_path, script)
    assert outcomes == {"ftrun-1": Stopped(StopReason.LEASE_LOST)}
    assert trainer.killed


def test_a_death_is_told_of_each_that_was_in_training_at_its_own_step(
    url: str, tmp_path: Path
) -> None:
    ids = claimed_runs(url, 3)
    lines = in_lockstep(ids)
    script: list[Said] = [
        *lines[:7],
        last("ftrun-1", failed=NAN_LOSS),
        TrainerDied("It was killed."),
    ]
    outcomes, _ = everything(url, tmp_path, script)
    assert outcomes == {
        "ftrun-1": Failed(NAN_LOSS),
        "ftrun-2": Died(1, "It was killed.", stack_size=2),
        "ftrun-3": Died(1, "It was killed.", stack_size=2),
    }
    assert [run.step for run in rows(url)] == [2, 1, 1]


def test_an_error_nobody_foresaw_is_a_run_s_own_only_when_it_is_alone(
    url: str, tmp_path: Path
) -> None:
    ids = claimed_runs(url, 2)
    script: list[Said] = [last(run_id, failed=UNFORESEEN) for run_id in ids]
    outcomes, trainer = everything(url, tmp_path, script)
    assert outcomes == {
        "ftrun-1": Died(0, UNFORESEEN["message"], stack_size=2),
        "ftrun-2": Failed(UNFORESEEN),
    }
    assert trainer.killed  # the next run deserves a new one


def test_a_worker_that_goes_has_all_of_them_stopped(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = claimed_runs(url, 3)
    going = [False]
    monkeypatch.setattr(monitor, "is_shutting_down", lambda: going[0])
    script: list[Said] = [
        *in_lockstep(ids)[:9],
        lambda: going.__setitem__(0, True),
        *(last(run_id, stopped=True) for run_id in ids),
    ]
    outcomes, trainer = everything(url, tmp_path, script)
    assert outcomes == dict.fromkeys(ids, Stopped(StopReason.SHUTDOWN))
    assert trainer.asked == ids


def test_several_runs_have_the_time_of_several(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(monitor, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    ids = claimed_runs(url, 2)
    script: list[Said] = [
        lambda: clock.__setitem__(0, 150.0),  # more than one run may take, less than two may
        last("ftrun-1", failed=NAN_LOSS),
        lambda: clock.__setitem__(0, 201.0),
        last("ftrun-2", stopped=True),
    ]
    outcomes = dict(followed(url, tmp_path, ScriptedTrainer(script), time_limit_seconds=100.0))
    assert outcomes == {ids[0]: Failed(NAN_LOSS), ids[1]: Stopped(StopReason.TIME_LIMIT)}


def test_a_trainer_that_says_nothing_of_any_run_is_stuck(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(monitor, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    claimed_runs(url, 2)
    script: list[Said] = [
        lambda: clock.__setitem__(0, 9.0),
        last("ftrun-2", alive=True),
        lambda: clock.__setitem__(0, 18.0),
        lambda: clock.__setitem__(0, 20.0),
    ]
    trainer = ScriptedTrainer(script)
    outcomes = dict(followed(url, tmp_path, trainer, stall_seconds=10.0))
    words = "The trainer process said nothing for 10 seconds and was killed."
    assert outcomes == {run_id: Died(0, words, stack_size=2) for run_id in ("ftrun-1", "ftrun-2")}
    assert trainer.killed
