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


def assert_unharmed(
    stacked_runs: TrainedRuns, run_ids: list[str], single_runs: TrainedRuns
) -> None:
    for run_id in run_ids:
        assert [type(item) for item in stacked_runs.items[run_id]] == [
            type(item) for item in single_runs.items[run_id]
        ]
        losses, alone = (
            [step.train_loss for step in side.list_steps(run_id)]
            for side in (stacked_runs, single_runs)
        )
        assert losses == pytest.approx(alone, abs=TOLERANCE)
        assert stacked_runs.get_finished(run_id).validation.loss == pytest.approx(
            single_runs.get_finished(run_id).validation.loss, abs=TOLERANCE
        )


def stop_after_steps(specs: list[RunSpec], run_id: str, steps: int) -> TrainedRuns:
    """Train runs and stop ``run_id`` after the report of ``steps`` steps."""
    stacked_runs = TrainedRuns(specs)
    stacked_runs.train(
        stack_size=3,
        is_stopped=lambda name: name == run_id and len(stacked_runs.list_steps(run_id)) >= steps,
    )
    return stacked_runs


@pytest.fixture(scope="module")
def single_runs(tmp_path_factory: pytest.TempPathFactory, smooth_bert: Path) -> TrainedRuns:
    """Three runs trained one by one."""
    return TrainedRuns(
        make_specs(tmp_path_factory.mktemp("single_runs"), smooth_bert, 3, recipe=RECIPE)
    ).train(stack_size=1)


@pytest.mark.parametrize("steps", [pytest.param(0, marks=LONG), 4, pytest.param(6, marks=LONG)])
def test_a_stopped_seed_leaves_within_a_batch(
    steps: int, tmp_path: Path, smooth_bert: Path, single_runs: TrainedRuns
) -> None:
    specs = make_specs(tmp_path, smooth_bert, 3, recipe=RECIPE)
    stacked_runs = stop_after_steps(specs, "ftrun-2", steps)
    assert isinstance(stacked_runs.get_last_item("ftrun-2"), StopRequested)
    assert [step.step for step in stacked_runs.list_steps("ftrun-2")] == list(range(1, steps + 1))
    assert [found.step for found in stacked_runs.list_evaluations("ftrun-2")] == (
        [3] if steps > 3 else []
    )
    assert list(specs[1].output.iterdir()) == []
    assert_unharmed(stacked_runs, ["ftrun-1", "ftrun-3"], single_runs)


def test_all_runs_can_be_stopped(tmp_path: Path, smooth_bert: Path) -> None:
    specs = make_specs(tmp_path, smooth_bert, 2, recipe=RECIPE)
    stacked_runs = TrainedRuns(specs).train(stack_size=2, is_stopped=lambda _: True)
    assert [type(item) for item in stacked_runs.items["ftrun-1"]] == [StopRequested]
    assert isinstance(stacked_runs.get_last_item("ftrun-2"), StopRequested)


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
    before: int, after: int, tmp_path: Path, smooth_bert: Path, single_runs: TrainedRuns
) -> None:
    first, states = pause_runs(tmp_path, smooth_bert, stack_size=before)
    second = resume_runs(tmp_path, smooth_bert, states, stack_size=after)
    for run_id in first.items:
        assert isinstance(first.get_last_item(run_id), Paused)
        items = [*first.items[run_id][:-1], *second.items[run_id][1:]]
        assert [type(event) for event in items] == [
            type(event) for event in single_runs.items[run_id]
        ]
        losses = [event.train_loss for event in items if isinstance(event, Step)]
        assert losses == pytest.approx(
            [step.train_loss for step in single_runs.list_steps(run_id)], abs=TOLERANCE
        )
        assert second.get_finished(run_id).best_step == single_runs.get_finished(run_id).best_step
        assert second.get_finished(run_id).evidence.opening_loss == pytest.approx(
            single_runs.get_finished(run_id).evidence.opening_loss, abs=TOLERANCE
        )


def test_a_seed_with_a_nan_loss_diverges_alone(
    tmp_path: Path, smooth_bert: Path, single_runs: TrainedRuns
) -> None:
    _, states = pause_runs(tmp_path, smooth_bert, stack_size=3)
    weights_file = states[1] / "weights.safetensors"
    weights = load_file(weights_file)
    weights["bert.encoder.layer.0.output.dense.weight"][0, 0] = float("nan")
    save_file(weights, weights_file)
    stacked_runs = resume_runs(tmp_path, smooth_bert, states, stack_size=3)
    last = stacked_runs.get_last_item("ftrun-2")
    assert isinstance(last, TrainingDiverged)
    assert "at step 7" in last.message
    assert [type(item) for item in stacked_runs.items["ftrun-2"]] == [Started, TrainingDiverged]
    for run_id in ("ftrun-1", "ftrun-3"):
        assert stacked_runs.get_finished(run_id).validation.loss == pytest.approx(
            single_runs.get_finished(run_id).validation.loss, abs=TOLERANCE
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
    single_runs: TrainedRuns,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = LimitedMemory(monkeypatch, seeds=seeds, since=since)
    stacked_runs = TrainedRuns(make_specs(tmp_path, smooth_bert, 3, recipe=RECIPE)).train(
        stack_size=3
    )
    assert list(dict.fromkeys(memory.stack_sizes)) == stack_sizes
    assert_unharmed(stacked_runs, ["ftrun-1", "ftrun-2", "ftrun-3"], single_runs)
    for run_id in stacked_runs.items:
        reported, expected = (
            [
                (type(event), event.step)
                for event in side.items[run_id]
                if isinstance(event, Step | Evaluation)
            ]
            for side in (stacked_runs, single_runs)
        )
        assert reported == expected


def test_a_seed_that_does_not_fit_alone_fails(
    tmp_path: Path, smooth_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LimitedMemory(monkeypatch, seeds=0, since=2)
    stacked_runs = TrainedRuns(make_specs(tmp_path, smooth_bert, 2, recipe=RECIPE)).train(
        stack_size=2
    )
    for run_id in stacked_runs.items:
        assert isinstance(stacked_runs.get_last_item(run_id), torch.OutOfMemoryError)
        assert not any(isinstance(item, Finished) for item in stacked_runs.items[run_id])


@pytest.mark.parametrize("offer", [pytest.param(0, marks=LONG), 1, pytest.param(2, marks=LONG)])
def test_running_out_of_memory_for_a_checkpoint_loses_no_evaluation(
    offer: int,
    tmp_path: Path,
    smooth_bert: Path,
    single_runs: TrainedRuns,
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
    stacked_runs = TrainedRuns(make_specs(tmp_path, smooth_bert, 3, recipe=RECIPE)).train(
        stack_size=3
    )
    assert len(offers) > offer
    assert_unharmed(stacked_runs, ["ftrun-1", "ftrun-2", "ftrun-3"], single_runs)
    for run_id in stacked_runs.items:
        assert [found.is_best for found in stacked_runs.list_evaluations(run_id)] == [
            found.is_best for found in single_runs.list_evaluations(run_id)
        ]
