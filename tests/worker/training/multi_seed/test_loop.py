"""A seed that leaves the stack early does not affect the others."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.worker.training.multi_seed.stacks import TrainedRuns, make_specs
from tests.worker.training.runs import make_recipe
from worker.training.errors import StopRequested, TrainingDiverged
from worker.training.events import Evaluation, Finished, Paused, Started, Step
from worker.training.multi_seed.forward import StackedForward
from worker.training.multi_seed.stack import SeedView
from worker.training.spec import RunSpec

RECIPE = make_recipe(learning_rate=1e-3)
"""12 steps, with evaluations after 3, 6, 9 and 12."""
TOLERANCE = 1e-4
LONG = pytest.mark.long


def assert_unharmed(together: TrainedRuns, run_ids: list[str], apart: TrainedRuns) -> None:
    for run_id in run_ids:
        assert [type(item) for item in together.items[run_id]] == [
            type(item) for item in apart.items[run_id]
        ]
        losses, alone = (
            [step.train_loss for step in side.list_steps(run_id)] for side in (together, apart)
        )
        assert losses == pytest.approx(alone, abs=TOLERANCE)
        assert together.get_finished(run_id).validation.loss == pytest.approx(
            apart.get_finished(run_id).validation.loss, abs=TOLERANCE
        )


def stop_after_steps(specs: list[RunSpec], run_id: str, steps: int) -> TrainedRuns:
    """Train runs and stop ``run_id`` after the report of ``steps`` steps."""
    together = TrainedRuns(specs)
    together.train(
        stack_size=3,
        is_stopped=lambda name: name == run_id and len(together.list_steps(run_id)) >= steps,
    )
    return together


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory, smooth_bert: Path) -> TrainedRuns:
    """Three runs trained one by one."""
    return TrainedRuns(
        make_specs(tmp_path_factory.mktemp("apart"), smooth_bert, 3, recipe=RECIPE)
    ).train(stack_size=1)


@pytest.mark.parametrize("steps", [pytest.param(0, marks=LONG), 4, pytest.param(6, marks=LONG)])
def test_a_stopped_seed_leaves_within_a_batch(
    steps: int, tmp_path: Path, smooth_bert: Path, apart: TrainedRuns
) -> None:
    specs = make_specs(tmp_path, smooth_bert, 3, recipe=RECIPE)
    together = stop_after_steps(specs, "ftrun-2", steps)
    assert isinstance(together.get_last_item("ftrun-2"), StopRequested)
    assert [step.step for step in together.list_steps("ftrun-2")] == list(range(1, steps + 1))
    assert [found.step for found in together.list_evaluations("ftrun-2")] == (
        [3] if steps > 3 else []
    )
    assert list(specs[1].output.iterdir()) == []
    assert_unharmed(together, ["ftrun-1", "ftrun-3"], apart)


def test_all_runs_can_be_stopped(tmp_path: Path, smooth_bert: Path) -> None:
    specs = make_specs(tmp_path, smooth_bert, 2, recipe=RECIPE)
    together = TrainedRuns(specs).train(stack_size=2, is_stopped=lambda _: True)
    assert [type(item) for item in together.items["ftrun-1"]] == [StopRequested]
    assert isinstance(together.get_last_item("ftrun-2"), StopRequested)


def pause_runs(folder: Path, base: Path, *, stack_size: int) -> tuple[TrainedRuns, list[Path]]:
    specs = make_specs(folder, base, 3, recipe=RECIPE, stop_step=6)
    return TrainedRuns(specs).train(stack_size=stack_size), [
        spec.output / "state-6" for spec in specs
    ]


def resume_runs(folder: Path, base: Path, states: list[Path], *, stack_size: int) -> TrainedRuns:
    specs = make_specs(folder, base, 3, recipe=RECIPE)
    # the name of the folder does not matter
    renamed = [state.rename(state.with_name("renamed")) for state in states]
    resumed = [
        spec.model_copy(update={"state": state}) for spec, state in zip(specs, renamed, strict=True)
    ]
    return TrainedRuns(resumed).train(stack_size=stack_size)


@pytest.mark.parametrize(
    ("before", "after"),
    [(3, 1), (1, 3), pytest.param(3, 3, marks=LONG), pytest.param(2, 2, marks=LONG)],
)
def test_a_paused_seed_resumes_in_any_stack_size(
    before: int, after: int, tmp_path: Path, smooth_bert: Path, apart: TrainedRuns
) -> None:
    first, states = pause_runs(tmp_path, smooth_bert, stack_size=before)
    second = resume_runs(tmp_path, smooth_bert, states, stack_size=after)
    for run_id in first.items:
        assert isinstance(first.get_last_item(run_id), Paused)
        items = [*first.items[run_id][:-1], *second.items[run_id][1:]]
        assert [type(event) for event in items] == [type(event) for event in apart.items[run_id]]
        losses = [event.train_loss for event in items if isinstance(event, Step)]
        assert losses == pytest.approx(
            [step.train_loss for step in apart.list_steps(run_id)], abs=TOLERANCE
        )
        assert second.get_finished(run_id).best_step == apart.get_finished(run_id).best_step
        assert second.get_finished(run_id).evidence.opening_loss == pytest.approx(
            apart.get_finished(run_id).evidence.opening_loss, abs=TOLERANCE
        )


def test_a_seed_with_a_nan_loss_diverges_alone(
    tmp_path: Path, smooth_bert: Path, apart: TrainedRuns
) -> None:
    _, states = pause_runs(tmp_path, smooth_bert, stack_size=3)
    weights_file = states[1] / "weights.safetensors"
    weights = load_file(weights_file)
    weights["bert.encoder.layer.0.output.dense.weight"][0, 0] = float("nan")
    save_file(weights, weights_file)
    together = resume_runs(tmp_path, smooth_bert, states, stack_size=3)
    last = together.get_last_item("ftrun-2")
    assert isinstance(last, TrainingDiverged)
    assert "at step 7" in last.message
    assert [type(item) for item in together.items["ftrun-2"]] == [Started, TrainingDiverged]
    for run_id in ("ftrun-1", "ftrun-3"):
        assert together.get_finished(run_id).validation.loss == pytest.approx(
            apart.get_finished(run_id).validation.loss, abs=TOLERANCE
        )


class LimitedMemory:
    """Memory for ``seeds`` seeds at once from the pass ``since`` on, as on a GPU."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, seeds: int, since: int) -> None:
        self.stack_sizes: list[int] = []
        original = StackedForward.__call__

        def run_out_of_memory(forward: StackedForward, batch: object) -> torch.Tensor:
            logits = original(forward, batch)  # type: ignore[arg-type]
            if len(logits) > seeds and len(self.stack_sizes) >= since:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            self.stack_sizes.append(len(logits))
            return logits

        monkeypatch.setattr(StackedForward, "__call__", run_out_of_memory)


@pytest.mark.parametrize(
    ("seeds", "since", "stack_sizes"),
    [
        pytest.param(2, 0, [2, 1], marks=LONG),  # at the first step
        (2, 4, [3, 2, 1]),  # between evaluations
        (2, 3, [3, 2, 1]),  # in the evaluation after step 3
        pytest.param(1, 5, [3, 1], marks=LONG),
    ],
)
def test_without_enough_memory_half_of_the_seeds_are_deferred(
    seeds: int,
    since: int,
    stack_sizes: list[int],
    tmp_path: Path,
    smooth_bert: Path,
    apart: TrainedRuns,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = LimitedMemory(monkeypatch, seeds=seeds, since=since)
    together = TrainedRuns(make_specs(tmp_path, smooth_bert, 3, recipe=RECIPE)).train(stack_size=3)
    assert list(dict.fromkeys(memory.stack_sizes)) == stack_sizes
    assert_unharmed(together, ["ftrun-1", "ftrun-2", "ftrun-3"], apart)
    for run_id in together.items:
        reported, expected = (
            [
                (type(event), event.step)
                for event in side.items[run_id]
                if isinstance(event, Step | Evaluation)
            ]
            for side in (together, apart)
        )
        assert reported == expected


def test_a_seed_that_does_not_fit_alone_fails(
    tmp_path: Path, smooth_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LimitedMemory(monkeypatch, seeds=0, since=2)
    together = TrainedRuns(make_specs(tmp_path, smooth_bert, 2, recipe=RECIPE)).train(stack_size=2)
    for run_id in together.items:
        assert isinstance(together.get_last_item(run_id), torch.OutOfMemoryError)
        assert not any(isinstance(item, Finished) for item in together.items[run_id])


@pytest.mark.parametrize("offer", [pytest.param(0, marks=LONG), 1, pytest.param(2, marks=LONG)])
def test_running_out_of_memory_for_a_checkpoint_loses_no_evaluation(
    offer: int,
    tmp_path: Path,
    smooth_bert: Path,
    apart: TrainedRuns,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The copy of the weights number ``offer`` does not fit into memory."""
    offers: list[int] = []
    original = SeedView.state_dict

    def run_out_of_memory(view: SeedView) -> dict[str, torch.Tensor]:
        offers.append(len(offers))
        if offers[-1] == offer:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(view)

    monkeypatch.setattr(SeedView, "state_dict", run_out_of_memory)
    together = TrainedRuns(make_specs(tmp_path, smooth_bert, 3, recipe=RECIPE)).train(stack_size=3)
    assert len(offers) > offer
    assert_unharmed(together, ["ftrun-1", "ftrun-2", "ftrun-3"], apart)
    for run_id in together.items:
        assert [found.is_best for found in together.list_evaluations(run_id)] == [
            found.is_best for found in apart.list_evaluations(run_id)
        ]
