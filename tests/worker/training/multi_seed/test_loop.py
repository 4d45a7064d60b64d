"""A seed that ends early leaves the stack, and the others go on as if it had never been there."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.worker.training.multi_seed.stacks import Together, make_specs
from tests.worker.training.runs import make_recipe
from worker.training.errors import StopRequested, TrainingDiverged
from worker.training.events import Evaluation, Finished, Paused, Started, Step
from worker.training.multi_seed.forward import StackedForward
from worker.training.multi_seed.stack import SeedView
from worker.training.spec import RunSpec

RECIPE = make_recipe(learning_rate=1e-3)  # 12 steps, evaluated after 3, 6, 9 and 12
CLOSE = 1e-4
LONG = pytest.mark.long


def assert_unharmed(together: Together, run_ids: list[str], apart: Together) -> None:
    for run_id in run_ids:
        assert [type(told) for told in together.told[run_id]] == [
            type(told) for told in apart.told[run_id]
        ]
        losses, alone = (
            [step.train_loss for step in side.steps(run_id)] for side in (together, apart)
        )
        assert losses == pytest.approx(alone, abs=CLOSE)
        assert together.finished(run_id).validation.loss == pytest.approx(
            apart.finished(run_id).validation.loss, abs=CLOSE
        )


def told_after(specs: list[RunSpec], run_id: str, steps: int) -> Together:
    """``run_id`` is stopped as soon as so many of its steps were told."""
    together = Together(specs)
    together.train(
        width=3, stopped=lambda name: name == run_id and len(together.steps(run_id)) >= steps
    )
    return together


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory, smooth_bert: Path) -> Together:
    """Three runs, each by itself."""
    return Together(
        make_specs(tmp_path_factory.mktemp("apart"), smooth_bert, 3, recipe=RECIPE)
    ).train(width=1)


@pytest.mark.parametrize("steps", [pytest.param(0, marks=LONG), 4, pytest.param(6, marks=LONG)])
def test_a_stopped_seed_leaves_within_a_batch(
    steps: int, tmp_path: Path, smooth_bert: Path, apart: Together
) -> None:
    specs = make_specs(tmp_path, smooth_bert, 3, recipe=RECIPE)
    together = told_after(specs, "ftrun-2", steps)
    assert isinstance(together.last("ftrun-2"), StopRequested)
    assert [step.step for step in together.steps("ftrun-2")] == list(range(1, steps + 1))
    assert [found.step for found in together.evaluations("ftrun-2")] == ([3] if steps > 3 else [])
    assert list(specs[1].output.iterdir()) == []
    assert_unharmed(together, ["ftrun-1", "ftrun-3"], apart)


def test_all_of_them_may_be_stopped(tmp_path: Path, smooth_bert: Path) -> None:
    specs = make_specs(tmp_path, smooth_bert, 2, recipe=RECIPE)
    together = Together(specs).train(width=2, stopped=lambda _: True)
    assert [type(told) for told in together.told["ftrun-1"]] == [StopRequested]
    assert isinstance(together.last("ftrun-2"), StopRequested)


def paused(folder: Path, base: Path, *, width: int) -> tuple[Together, list[Path]]:
    specs = make_specs(folder, base, 3, recipe=RECIPE, stop_step=6)
    return Together(specs).train(width=width), [spec.output / "state-6" for spec in specs]


def resumed(folder: Path, base: Path, states: list[Path], *, width: int) -> Together:
    specs = make_specs(folder, base, 3, recipe=RECIPE)
    moved = [
        state.rename(state.with_name("fetched")) for state in states
    ]  # what it is called is the caller's matter
    going_on = [
        spec.model_copy(update={"state": state}) for spec, state in zip(specs, moved, strict=True)
    ]
    return Together(going_on).train(width=width)


@pytest.mark.parametrize(
    ("before", "after"),
    [(3, 1), (1, 3), pytest.param(3, 3, marks=LONG), pytest.param(2, 2, marks=LONG)],
)
def test_a_pause_leaves_each_seed_a_state_of_its_own(
    before: int, after: int, tmp_path: Path, smooth_bert: Path, apart: Together
) -> None:
    first, states = paused(tmp_path, smooth_bert, width=before)
    second = resumed(tmp_path, smooth_bert, states, width=after)
    for run_id in first.told:
        assert isinstance(first.last(run_id), Paused)
        told = [*first.told[run_id][:-1], *second.told[run_id][1:]]
        assert [type(event) for event in told] == [type(event) for event in apart.told[run_id]]
        losses = [event.train_loss for event in told if isinstance(event, Step)]
        assert losses == pytest.approx([step.train_loss for step in apart.steps(run_id)], abs=CLOSE)
        assert second.finished(run_id).best_step == apart.finished(run_id).best_step
        assert second.finished(run_id).evidence.opening_loss == pytest.approx(
            apart.finished(run_id).evidence.opening_loss, abs=CLOSE
        )


def test_a_seed_whose_loss_is_no_number_diverges_alone(
    tmp_path: Path, smooth_bert: Path, apart: Together
) -> None:
    _, states = paused(tmp_path, smooth_bert, width=3)
    spoilt = states[1] / "weights.safetensors"
    weights = load_file(spoilt)
    weights["bert.encoder.layer.0.output.dense.weight"][0, 0] = float("nan")
    save_file(weights, spoilt)
    together = resumed(tmp_path, smooth_bert, states, width=3)
    last = together.last("ftrun-2")
    assert isinstance(last, TrainingDiverged)
    assert "at step 7" in last.message
    assert [type(told) for told in together.told["ftrun-2"]] == [Started, TrainingDiverged]
    for run_id in ("ftrun-1", "ftrun-3"):
        assert together.finished(run_id).validation.loss == pytest.approx(
            apart.finished(run_id).validation.loss, abs=CLOSE
        )


class TooMany:
    """Memory for so many seeds at once from the pass ``since`` on, as a GPU would say it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, seeds: int, since: int) -> None:
        self.widths: list[int] = []
        plain = StackedForward.__call__

        def short(forward: StackedForward, batch: object) -> torch.Tensor:
            logits = plain(forward, batch)  # type: ignore[arg-type]
            if len(logits) > seeds and len(self.widths) >= since:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            self.widths.append(len(logits))
            return logits

        monkeypatch.setattr(StackedForward, "__call__", short)


@pytest.mark.parametrize(
    ("seeds", "since", "widths"),
    [
        pytest.param(2, 0, [2, 1], marks=LONG),  # at the very first step
        (2, 4, [3, 2, 1]),  # in mid-training
        (2, 3, [3, 2, 1]),  # in the evaluation after step 3
        pytest.param(1, 5, [3, 1], marks=LONG),
    ],
)
def test_where_memory_is_short_half_of_the_seeds_wait(
    seeds: int,
    since: int,
    widths: list[int],
    tmp_path: Path,
    smooth_bert: Path,
    apart: Together,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = TooMany(monkeypatch, seeds=seeds, since=since)
    together = Together(make_specs(tmp_path, smooth_bert, 3, recipe=RECIPE)).train(width=3)
    assert list(dict.fromkeys(memory.widths)) == widths
    assert_unharmed(together, ["ftrun-1", "ftrun-2", "ftrun-3"], apart)
    for run_id in together.told:
        told = [event for event in together.told[run_id] if isinstance(event, Step | Evaluation)]
        assert [(type(event), event.step) for event in told] == [
            (type(event), event.step)
            for event in apart.told[run_id]
            if isinstance(event, Step | Evaluation)
        ]


def test_a_seed_that_does_not_fit_by_itself_says_so(
    tmp_path: Path, smooth_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    TooMany(monkeypatch, seeds=0, since=2)
    together = Together(make_specs(tmp_path, smooth_bert, 2, recipe=RECIPE)).train(width=2)
    for run_id in together.told:
        assert isinstance(together.last(run_id), torch.OutOfMemoryError)
        assert not any(isinstance(told, Finished) for told in together.told[run_id])


@pytest.mark.parametrize("offer", [pytest.param(0, marks=LONG), 1, pytest.param(2, marks=LONG)])
def test_memory_that_is_short_for_a_checkpoint_loses_no_evaluation(
    offer: int, tmp_path: Path, smooth_bert: Path, apart: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the copy of so many seeds' weights was made, there is no room for the next."""
    offers: list[int] = []
    plain = SeedView.state_dict

    def short(share: SeedView) -> dict[str, torch.Tensor]:
        offers.append(len(offers))
        if offers[-1] == offer:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return plain(share)

    monkeypatch.setattr(SeedView, "state_dict", short)
    together = Together(make_specs(tmp_path, smooth_bert, 3, recipe=RECIPE)).train(width=3)
    assert len(offers) > offer
    assert_unharmed(together, ["ftrun-1", "ftrun-2", "ftrun-3"], apart)
    for run_id in together.told:
        assert [found.is_best for found in together.evaluations(run_id)] == [
            found.is_best for found in apart.evaluations(run_id)
        ]
