"""Monitoring of a stack: each run is recorded, stopped and ended separately."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.db.metrics import Metrics
from shared.db.session import Database
from shared.domain.errors import Reason
from tests.worker.runs.stack_scripts import (
    NAN_LOSS,
    interleave_lines,
    load_runs,
    make_line,
    monitor_script,
)
from tests.worker.scripted_trainer import (
    STEPS,
    ForgetfulDatabase,
    ScriptedTrainer,
    ScriptEntry,
    claim_stack,
    make_finished_line,
    make_training_lines,
    monitor_claimed_runs,
)
from worker.runs import monitor
from worker.runs.outcomes import Died, Failed, Finished, Stopped, StopReason, Unprepared
from worker.trainer.process import TrainerDied

UNFORESEEN = Reason(code="internal_error", message="RuntimeError: device-side assert", param=None)


pytestmark = pytest.mark.usefixtures("flush_at_once")


@pytest.mark.parametrize("kind", [Database, ForgetfulDatabase])
def test_each_point_of_each_run_is_stored_once_even_if_commits_lose_their_answer(
    url: str, tmp_path: Path, kind: type[Database]
) -> None:
    ids = claim_stack(url, 3)
    trainer, database = (
        ScriptedTrainer([*interleave_lines(ids), *map(make_finished_line, ids)]),
        kind(url),
    )
    outcomes = dict(monitor_claimed_runs(url, tmp_path, trainer, database))
    database.dispose()
    assert [type(outcomes[run_id]) for run_id in ids] == [Finished] * 3
    for run in load_runs(url):
        assert (run.step, run.validation_score, run.best_step, run.device) == (12, 1.0, 12, "cpu")
        plain = Database(url)
        with plain.read() as session:
            points = Metrics(session).list_points(run.id)
        plain.dispose()
        assert [point.step for point in points if point.name == "train_loss"] == list(
            range(1, STEPS + 1)
        )
        assert [point.step for point in points if point.name == "valid_loss"] == [4, 8, 12]


def test_points_of_all_runs_are_stored_in_one_transaction(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 60.0)
    ids = claim_stack(url, 3)
    database = ForgetfulDatabase(url)
    database.writes = 1  # the answer to the first is not lost
    script = [
        *interleave_lines(ids),
        make_line("ftrun-1", failed=NAN_LOSS),
        *map(make_finished_line, ids[1:]),
    ]
    for run_id, outcome in monitor_claimed_runs(url, tmp_path, ScriptedTrainer(script), database):
        if run_id == "ftrun-1":
            assert isinstance(outcome, Failed)
            assert [run.step for run in load_runs(url)] == [STEPS] * 3
            assert database.writes == 2
    database.dispose()


def test_an_outcome_is_yielded_while_other_runs_train(url: str, tmp_path: Path) -> None:
    ids = claim_stack(url, 2)
    ends = monitor_claimed_runs(
        url,
        tmp_path,
        ScriptedTrainer(
            [
                make_line("ftrun-2", failed=NAN_LOSS),
                *make_training_lines("ftrun-1"),
                make_finished_line("ftrun-1"),
            ]
        ),
    )
    assert next(ends) == ("ftrun-2", Failed(NAN_LOSS))
    assert load_runs(url)[0].step == 0
    [(run_id, outcome)] = ends
    assert (run_id, type(outcome)) == (ids[0], Finished)
    assert load_runs(url)[0].step == STEPS


def test_a_death_of_the_trainer_is_the_outcome_of_each_open_run(url: str, tmp_path: Path) -> None:
    ids = claim_stack(url, 3)
    lines = interleave_lines(ids)
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
    assert [run.step for run in load_runs(url)] == [2, 1, 1]


def test_an_unexpected_error_counts_only_for_a_run_alone(url: str, tmp_path: Path) -> None:
    ids = claim_stack(url, 2)
    script: list[ScriptEntry] = [make_line(run_id, failed=UNFORESEEN) for run_id in ids]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert outcomes == {
        "ftrun-1": Died(0, UNFORESEEN.message, stack_size=2),
        "ftrun-2": Failed(UNFORESEEN),
    }
    assert trainer.killed  # the next run gets a new trainer


@pytest.mark.parametrize(("code", "is_outage"), [("disk_error", False), ("disk_full", True)])
def test_an_error_of_the_disk_is_the_machines(
    code: str, is_outage: bool, url: str, tmp_path: Path
) -> None:
    ids = claim_stack(url, 2)
    reason = Reason(code=code, message="The disk.", param=None)
    script: list[ScriptEntry] = [make_line(run_id, failed=reason) for run_id in ids]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert outcomes == dict.fromkeys(ids, Unprepared("The disk.", is_outage))
    assert not trainer.killed


def test_the_time_limit_of_a_stack_is_the_sum_of_its_runs(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(monitor, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    ids = claim_stack(url, 2)
    script: list[ScriptEntry] = [
        lambda: clock.__setitem__(0, 150.0),  # above the limit of one run, below that of two
        make_line("ftrun-1", failed=NAN_LOSS),
        lambda: clock.__setitem__(0, 201.0),
        make_line("ftrun-2", stopped=True),
    ]
    outcomes = dict(
        monitor_claimed_runs(url, tmp_path, ScriptedTrainer(script), time_limit_seconds=100.0)
    )
    assert outcomes == {ids[0]: Failed(NAN_LOSS), ids[1]: Stopped(StopReason.TIME_LIMIT)}


def test_a_silent_trainer_is_killed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(monitor, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    claim_stack(url, 2)
    script: list[ScriptEntry] = [
        lambda: clock.__setitem__(0, 9.0),
        make_line("ftrun-2", alive=True),
        lambda: clock.__setitem__(0, 18.0),
        lambda: clock.__setitem__(0, 20.0),
    ]
    trainer = ScriptedTrainer(script)
    outcomes = dict(monitor_claimed_runs(url, tmp_path, trainer, stall_seconds=10.0))
    message = "The trainer process sent nothing for 10 seconds and was killed."
    assert outcomes == {run_id: Died(0, message, stack_size=2) for run_id in ("ftrun-1", "ftrun-2")}
    assert trainer.killed
