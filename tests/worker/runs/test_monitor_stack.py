"""Monitoring of a stack: each run is recorded, stopped and ended separately."""

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
    Line,
    ScriptedTrainer,
    ScriptEntry,
    claimed_runs,
    finished,
    followed,
    say,
    training,
)
from worker.runs import monitor
from worker.runs.outcomes import Died, Failed, Finished, Outcome, Stopped, StopReason
from worker.trainer.process import TrainerDied

NAN_LOSS = Reason(code="nan_loss", message="The loss is not a number.", param=None)
UNFORESEEN = Reason(code="internal_error", message="RuntimeError: device-side assert", param=None)


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    upgrade(url)
    return url


@pytest.fixture(autouse=True)
def flush_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flush and read the flags after every message."""
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)
    monkeypatch.setattr("worker.db_retry.RETRY_INTERVAL_S", 0.0)


def in_lockstep(run_ids: list[str]) -> list[Line]:
    lines = zip_longest(*map(training, run_ids))
    return list(chain.from_iterable(lines))


def make_line(run_id: str, **line: object) -> Line:
    return {"run_id": run_id, **line}


def rows(url: str) -> list[Run]:
    database = Database(url)
    with database.read() as session:
        found = session.query(Run).order_by(Run.index).all()
    database.dispose()
    return found


def make_row_change(url: str, run_id: str, **values: object) -> Callable[[], None]:
    """Return a function that changes the run's row, as another process would."""

    def change() -> None:
        database = Database(url)
        with database.write() as session:
            session.execute(update(Run).where(Run.id == run_id).values(**values))
        database.dispose()

    return change


def monitor_script(
    url: str, folder: Path, script: list[ScriptEntry]
) -> tuple[dict[str, Outcome], ScriptedTrainer]:
    trainer = ScriptedTrainer(script)
    return dict(followed(url, folder, trainer)), trainer


def silence(times: int) -> list[ScriptEntry]:
    return [None] * times


@pytest.mark.parametrize("kind", [Database, ForgetfulDatabase])
def test_each_point_of_each_run_is_stored_once_even_if_commits_lose_their_answer(
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


def test_points_of_all_runs_are_stored_in_one_transaction(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 60.0)
    ids = claimed_runs(url, 3)
    database = ForgetfulDatabase(url)
    database.writes = 1  # the answer to the first is not lost
    script = [*in_lockstep(ids), make_line("ftrun-1", failed=NAN_LOSS), *map(finished, ids[1:])]
    for run_id, outcome in followed(url, tmp_path, ScriptedTrainer(script), database):
        if run_id == "ftrun-1":
            assert isinstance(outcome, Failed)
            assert [run.step for run in rows(url)] == [STEPS] * 3
            assert database.writes == 2
    database.dispose()


def test_an_outcome_is_yielded_while_other_runs_train(url: str, tmp_path: Path) -> None:
    ids = claimed_runs(url, 2)
    ends = followed(
        url,
        tmp_path,
        ScriptedTrainer(
            [make_line("ftrun-2", failed=NAN_LOSS), *training("ftrun-1"), finished("ftrun-1")]
        ),
    )
    assert next(ends) == ("ftrun-2", Failed(NAN_LOSS))
    assert rows(url)[0].step == 0
    [(run_id, outcome)] = ends
    assert (run_id, type(outcome)) == (ids[0], Finished)
    assert rows(url)[0].step == STEPS


def test_cancelling_one_run_does_not_affect_the_others(url: str, tmp_path: Path) -> None:
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
    script: list[ScriptEntry] = [
        *steps[:9],
        make_row_change(url, "ftrun-2", cancel_requested=True),
        late,
        make_line("ftrun-2", stopped=True),
        *(line for line in steps[9:] if line["run_id"] != "ftrun-2"),
        *(finished(run_id) for run_id in ids if run_id != "ftrun-2"),
    ]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert outcomes["ftrun-2"] == Stopped(StopReason.CANCELLED)
    assert [type(outcomes[run_id]) for run_id in ("ftrun-1", "ftrun-3")] == [Finished] * 2
    assert (trainer.stop_requests, trainer.killed) == (["ftrun-2"], False)
    assert [run.step for run in rows(url)] == [
        12,
        2,
        12,
    ]  # nothing is stored after the request to stop


def test_a_run_that_finishes_after_the_request_to_stop_is_cancelled(
    url: str, tmp_path: Path
) -> None:
    ids = claimed_runs(url, 2)
    script: list[ScriptEntry] = [
        make_row_change(url, "ftrun-1", cancel_requested=True),
        *map(finished, ids),
    ]
    outcomes, _ = monitor_script(url, tmp_path, script)
    assert outcomes["ftrun-1"] == Stopped(StopReason.CANCELLED)
    assert isinstance(outcomes["ftrun-2"], Finished)


def test_the_trainer_of_a_run_that_does_not_stop_is_killed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "STOP_TIMEOUT_S", 0.0)
    ids = claimed_runs(url, 3)
    script: list[ScriptEntry] = [
        *in_lockstep(ids)[:9],
        make_row_change(url, "ftrun-2", cancel_requested=True),
        *silence(3),
    ]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert trainer.killed
    assert outcomes == {
        "ftrun-1": Stopped(StopReason.TRAINER_KILLED),
        "ftrun-2": Stopped(StopReason.CANCELLED),
        "ftrun-3": Stopped(StopReason.TRAINER_KILLED),
    }


def test_a_lost_run_is_stopped_without_deadline_and_not_recorded(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        monitor, "STOP_TIMEOUT_S", 0.0
    )  # the trainer would be killed if the deadline counted
    ids = claimed_runs(url, 2)
    one, other = (training(run_id) for run_id in ids)
    script: list[ScriptEntry] = [
        *one[:3],
        *other[:3],
        make_row_change(url, "ftrun-1", fence=7, status="queued", lease_until=None),
        *one[3:6],
        *other[3:],
        make_line("ftrun-1", stopped=True),
        finished("ftrun-2"),
    ]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert outcomes["ftrun-1"] == Stopped(StopReason.LEASE_LOST)
    assert isinstance(outcomes["ftrun-2"], Finished)
    assert (trainer.stop_requests, trainer.killed) == (["ftrun-1"], False)
    assert [run.step for run in rows(url)] == [2, 12]


def test_the_trainer_of_a_single_lost_run_is_killed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "STOP_TIMEOUT_S", 0.0)
    claimed_runs(url, 1)
    script: list[ScriptEntry] = [make_row_change(url, "ftrun-1", fence=7), *silence(3)]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert outcomes == {"ftrun-1": Stopped(StopReason.LEASE_LOST)}
    assert trainer.killed


def test_a_death_of_the_trainer_is_the_outcome_of_each_open_run(url: str, tmp_path: Path) -> None:
    ids = claimed_runs(url, 3)
    lines = in_lockstep(ids)
    script: list[ScriptEntry] = [
        *lines[:7],
        make_line("ftrun-1", failed=NAN_LOSS),
        TrainerDied("It was killed."),
    ]
    outcomes, _ = monitor_script(url, tmp_path, script)
    assert outcomes == {
        "ftrun-1": Failed(NAN_LOSS),
        "ftrun-2": Died(1, "It was killed.", stack_size=2),
        "ftrun-3": Died(1, "It was killed.", stack_size=2),
    }
    assert [run.step for run in rows(url)] == [2, 1, 1]


def test_an_unexpected_error_counts_only_for_a_run_alone(url: str, tmp_path: Path) -> None:
    ids = claimed_runs(url, 2)
    script: list[ScriptEntry] = [make_line(run_id, failed=UNFORESEEN) for run_id in ids]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert outcomes == {
        "ftrun-1": Died(0, UNFORESEEN["message"], stack_size=2),
        "ftrun-2": Failed(UNFORESEEN),
    }
    assert trainer.killed  # the next run gets a new trainer


def test_a_shutdown_stops_all_runs(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = claimed_runs(url, 3)
    going = [False]
    monkeypatch.setattr(monitor, "is_shutting_down", lambda: going[0])
    script: list[ScriptEntry] = [
        *in_lockstep(ids)[:9],
        lambda: going.__setitem__(0, True),
        *(make_line(run_id, stopped=True) for run_id in ids),
    ]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert outcomes == dict.fromkeys(ids, Stopped(StopReason.SHUTDOWN))
    assert trainer.stop_requests == ids


def test_the_time_limit_of_a_stack_is_the_sum_of_its_runs(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(monitor, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    ids = claimed_runs(url, 2)
    script: list[ScriptEntry] = [
        lambda: clock.__setitem__(0, 150.0),  # above the limit of one run, below that of two
        make_line("ftrun-1", failed=NAN_LOSS),
        lambda: clock.__setitem__(0, 201.0),
        make_line("ftrun-2", stopped=True),
    ]
    outcomes = dict(followed(url, tmp_path, ScriptedTrainer(script), time_limit_seconds=100.0))
    assert outcomes == {ids[0]: Failed(NAN_LOSS), ids[1]: Stopped(StopReason.TIME_LIMIT)}


def test_a_silent_trainer_is_killed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(monitor, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    claimed_runs(url, 2)
    script: list[ScriptEntry] = [
        lambda: clock.__setitem__(0, 9.0),
        make_line("ftrun-2", alive=True),
        lambda: clock.__setitem__(0, 18.0),
        lambda: clock.__setitem__(0, 20.0),
    ]
    trainer = ScriptedTrainer(script)
    outcomes = dict(followed(url, tmp_path, trainer, stall_seconds=10.0))
    message = "The trainer process sent nothing for 10 seconds and was killed."
    assert outcomes == {run_id: Died(0, message, stack_size=2) for run_id in ("ftrun-1", "ftrun-2")}
    assert trainer.killed
