"""The trainer as a real process behind real pipes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.worker.trainer.trainer_process import ENDLESS, Trainer, get_event_type, is_last, is_step
from tests.worker.training.runs import TrainedRun, make_recipe, make_spec, make_task


@pytest.fixture(scope="module")
def warm() -> Iterator[Trainer]:
    """One trainer process for all tests that leave it alive."""
    started = Trainer()
    assert started.read_line()["ready"]["torch"] == torch.__version__
    yield started
    started.process.kill()
    started.process.communicate()


@pytest.fixture
def trainer(warm: Trainer) -> Trainer:
    assert warm.process.poll() is None
    return warm


def test_events_of_a_run_equal_those_of_training_in_this_process(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    here = TrainedRun(make_spec(tmp_path, tiny_bert))
    for attempt in ("first, cold", "second, with everything cached"):
        trainer.submit_run(make_spec(tmp_path, tiny_bert))
        lines = trainer.read_until(is_last)
        assert {line["run_id"] for line in lines} == {"ftrun-1"}
        assert [line["event"] for line in lines] == [
            event.model_dump(mode="json") for event in here.events
        ], attempt


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_prints_of_libraries_go_to_standard_error(trainer: Trainer) -> None:
    descriptors = Path(f"/proc/{trainer.process.pid}/fd")
    assert (descriptors / "1").readlink() == (descriptors / "2").readlink()
    assert trainer.process.stdout is not None
    protocol = Path(f"/proc/self/fd/{trainer.process.stdout.fileno()}").readlink()
    assert [fd.readlink() for fd in descriptors.iterdir()].count(protocol) == 1


def test_a_run_is_stopped_during_training_and_the_process_stays(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    trainer.submit_run(make_spec(tmp_path, tiny_bert, run_id="ftrun-a", recipe=ENDLESS))
    trainer.read_until(is_step)
    trainer.write_command(stop="ftrun-a")
    assert trainer.read_until(is_last)[-1] == {"run_id": "ftrun-a", "stopped": True}
    trainer.submit_run(make_spec(tmp_path, tiny_bert, run_id="ftrun-b"))
    assert trainer.read_until(is_last)[-1]["event"]["type"] == "finished"


def test_a_stopped_run_can_be_started_again(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    trainer.write_command(stop="ftrun-1")
    trainer.submit_run(make_spec(tmp_path, tiny_bert))
    assert trainer.read_until(is_last)[-1]["event"]["type"] == "finished"


def test_a_waiting_run_can_be_stopped_before_it_starts(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    trainer.submit_run(make_spec(tmp_path, tiny_bert, run_id="ftrun-a", recipe=ENDLESS))
    trainer.submit_run(make_spec(tmp_path, tiny_bert, run_id="ftrun-b"))
    begun = trainer.read_until(is_step)
    assert {line["run_id"] for line in begun} == {"ftrun-a"}, begun
    trainer.write_command(stop="ftrun-b")
    trainer.write_command(stop="ftrun-a")
    assert trainer.read_until(is_last)[-1] == {"run_id": "ftrun-a", "stopped": True}
    assert trainer.read_until(is_last) == [{"run_id": "ftrun-b", "stopped": True}]


def test_runs_of_a_stack_are_reported_and_stopped_separately(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    specs = [
        make_spec(
            tmp_path,
            tiny_bert,
            run_id=f"ftrun-{seed}",
            init_seed=seed,
            data_seed=seed,
            recipe=ENDLESS,
        )
        for seed in range(3)
    ]
    trainer.write_command(stack=[spec.model_dump(mode="json") for spec in specs])
    trainer.read_until(is_step)
    trainer.write_command(stop="ftrun-1")
    assert trainer.read_until(is_last)[-1] == {"run_id": "ftrun-1", "stopped": True}
    trainer.read_until(is_step)  # the others continue
    trainer.write_command(stop="ftrun-2")
    trainer.write_command(stop="ftrun-0")
    last = [trainer.read_until(is_last)[-1] for _ in range(2)]
    assert {(line["run_id"], line["stopped"]) for line in last} == {
        ("ftrun-0", True),
        ("ftrun-2", True),
    }
    short = [spec.model_copy(update={"recipe": make_recipe()}) for spec in specs]
    trainer.write_command(stack=[spec.model_dump(mode="json") for spec in short])
    lines = [line for _ in short for line in trainer.read_until(is_last)]
    for spec in short:
        told = [get_event_type(line) for line in lines if line["run_id"] == spec.run_id]
        assert (told[0], told[-1], told.count("step")) == (
            "started",
            "finished",
            spec.recipe.max_steps,
        )


def test_an_error_of_a_whole_stack_is_reported_for_each_run(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    spec = make_spec(tmp_path, tiny_bert).model_dump(mode="json")
    trainer.write_command(stack=[spec, {"run_id": "ftrun-2"}])
    lines = [trainer.read_until(is_last)[-1] for _ in range(2)]
    assert [(line["run_id"], line["failed"]["code"]) for line in lines] == [
        ("ftrun-1", "internal_error"),
        ("ftrun-2", "internal_error"),
    ]


def test_failures_have_a_reason_and_do_not_end_the_process(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    sound = make_spec(tmp_path, tiny_bert)
    failing = {
        "invalid_value": sound.model_copy(update={"task": make_task(label_column="mood")}),
        "base_model_unreadable": sound.model_copy(update={"base_model": tmp_path}),
        "internal_error": sound.model_copy(update={"device": "cuda:77"}),
    }
    for code, spec in failing.items():
        trainer.submit_run(spec)
        failed = trainer.read_until(is_last)[-1]["failed"]
        assert failed["code"] == code
        assert len(failed["message"]) > 20
    trainer.write_command(run={"run_id": "ftrun-old", "of": "another version"})
    failed = trainer.read_until(is_last)[-1]
    assert failed["run_id"] == "ftrun-old"
    assert "base_model" in failed["failed"]["message"]
    trainer.submit_run(sound)
    assert trainer.read_until(is_last)[-1]["event"]["type"] == "finished"
