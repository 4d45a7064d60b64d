"""Runs whose head is fitted first: their events, resume, stacks, and what the fit is worth."""

from pathlib import Path
from typing import Any

import pytest

from shared.domain.task import TaskType
from shared.metrics import Scoring
from shared.recipe import Recipe
from tests.encoders import ENCODERS, build_bert_folder
from tests.worker.training.multi_seed.stacks import TrainedRuns
from tests.worker.training.pooled_models import train_pairs_alone_and_stacked
from tests.worker.training.runs import (
    TrainedRun,
    iterate_events,
    make_recipe,
    make_spec,
    never_stop,
)
from worker.training.data.split import load_splits
from worker.training.data.tokenization import TextCache
from worker.training.errors import StopRequested
from worker.training.evaluation import evaluate_split
from worker.training.events import Evaluation, HeadFitted, RunEvent, Started, Step
from worker.training.head_first.fitted_head import HeadFitter
from worker.training.model.forward import Forward
from worker.training.network_setup import build_network
from worker.training.run import train_run
from worker.training.spec import RunSpec


def select_points(events: list[RunEvent]) -> list[RunEvent]:
    return [event for event in events if isinstance(event, Step | Evaluation)]


def compute_loss(spec: RunSpec, *, is_fitted: bool = True) -> float:
    """Return the validation loss before any step, of the fitted head or of the draw."""
    splits = load_splits(spec, TextCache(), never_stop)
    network = build_network(spec, splits)
    if is_fitted:
        HeadFitter().fit_head(network, spec, splits, never_stop).write_weights(network)
    scoring = Scoring(spec.task, spec.metric)
    return evaluate_split(Forward(network), splits.validation, scoring, never_stop).result.loss


def test_the_fit_is_told_before_the_first_step_and_in_the_evidence(tmp_path: Path) -> None:
    base = build_bert_folder(tmp_path / "base", dropout=0.0)
    recipe = make_recipe(head_first=True, reinit_layers=0, warmup_ratio=0.5)
    run = TrainedRun(make_spec(tmp_path, base, recipe=recipe))
    fitted = run.events[1]
    assert isinstance(fitted, HeadFitted)
    assert run.finished.evidence.head_fit == fitted.fit
    assert fitted.fit.rows == run.started.rows["train"] == 42
    # the rate of step 1 is zero, so its weights are the fitted head's
    assert run.evaluations[0].step == 1
    assert run.evaluations[0].valid_loss == pytest.approx(compute_loss(run.spec), rel=1e-5)
    assert compute_loss(run.spec, is_fitted=False) != pytest.approx(
        compute_loss(run.spec), rel=1e-4
    )
    assert sum(isinstance(event, HeadFitted) for event in run.events) == 1
    # distances are measured from the fitted head: with the draw as their start, which is small,
    # the head would seem to have moved by a multiple of itself
    still = TrainedRun(
        make_spec(tmp_path, base, recipe=make_recipe(head_first=True, learning_rate=1e-9))
    )
    assert still.finished.evidence.distance["head"] < 1e-4


def test_without_the_switch_nothing_is_fitted(tmp_path: Path) -> None:
    run = TrainedRun(make_spec(tmp_path, build_bert_folder(tmp_path / "base")))
    assert not any(isinstance(event, HeadFitted) for event in run.events)
    assert run.finished.evidence.head_fit is None


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("bert", {"precision": "bfloat16", "reinit_layers": 0}),
        ("bert", {"mixout": 0.2, "pretrained_weight_decay": 0.1, "select": "last"}),
        ("roberta", {"pooling": "mean", "class_weights": "balanced", "weight_decay": 0.1}),
        ("deberta-v2", {}),
    ],
    ids=str,
)
def test_a_resumed_run_fits_the_same_head_and_ends_the_same_to_the_last_bit(
    family: str, changes: dict[str, object], tmp_path: Path
) -> None:
    base = ENCODERS[family](tmp_path / "base")
    recipe = make_recipe(head_first=True, **changes)

    def make(**more: Any) -> RunSpec:
        return make_spec(tmp_path, base, recipe=recipe, **more)

    whole, paused = TrainedRun(make()), make(stop_step=6)
    before = list(iterate_events(paused))
    # another run in between: a warm trainer remembers one head only
    TrainedRun(make_spec(tmp_path, base, recipe=_change(recipe, class_weights={"yes": 3.0})))
    after = list(iterate_events(make(state=paused.output / "state-6")))
    assert select_points([*before, *after]) == select_points(whole.events)
    assert after[-1] == whole.finished
    assert not any(isinstance(event, HeadFitted) for event in after)


def _change(recipe: Recipe, **changes: object) -> Recipe:
    return Recipe.model_validate(recipe.model_dump() | changes)


@pytest.mark.parametrize(
    ("family", "pooling", "pair_encoding", "task_type"),
    [
        ("bert", "family", "joined", TaskType.SINGLE_LABEL),
        ("albert", "family", "joined", TaskType.REGRESSION),
        ("modernbert", "family", "joined", TaskType.MULTI_LABEL),
        ("roberta", "family", "joined", TaskType.SINGLE_LABEL),
        ("bert", "mean", "separate", TaskType.REGRESSION),
        ("roberta", "cls", "separate", TaskType.SINGLE_LABEL),
        ("bert", "mean", "aligned", TaskType.SINGLE_LABEL),
    ],
)
def test_seeds_trained_side_by_side_equal_single_runs(
    family: str, pooling: str, pair_encoding: str, task_type: TaskType, tmp_path: Path
) -> None:
    base = ENCODERS[family](tmp_path / "base", dropout=0.0)
    specs, *runs = train_pairs_alone_and_stacked(
        tmp_path,
        base,
        {"head_first": True},
        pooling=pooling,
        pair_encoding=pair_encoding,
        task_type=task_type,
    )
    for spec in specs:
        alone, stacked = (one.get_finished(spec.run_id) for one in runs)
        for one in runs:
            first, second = one.items[spec.run_id][:2]
            assert isinstance(first, Started)
            assert isinstance(second, HeadFitted)
            evaluated = [event.step for event in one.list_evaluations(spec.run_id)]
            assert evaluated == spec.recipe.checkpoint_steps
            assert evaluated[0] == 1
        assert stacked.evidence.head_fit == alone.evidence.head_fit
        losses = [[step.train_loss for step in one.list_steps(spec.run_id)] for one in runs]
        # a head fitted without dropout reacts strongly to the encoder's roundings
        assert losses[1] == pytest.approx(losses[0], rel=1e-3, abs=1e-4)
        assert stacked.validation.loss == pytest.approx(alone.validation.loss, rel=1e-3)
        assert stacked.evidence.distance == pytest.approx(alone.evidence.distance, abs=1e-4)


def test_a_stack_resumes_to_the_last_bit(tmp_path: Path) -> None:
    base = build_bert_folder(tmp_path / "base", dropout=0.0)

    def make(seed: int, **more: Any) -> RunSpec:
        return make_spec(
            tmp_path,
            base,
            recipe=make_recipe(head_first=True),
            run_id=f"ftrun-{seed}",
            init_seed=seed,
            data_seed=seed,
            **more,
        )

    whole = TrainedRuns([make(1), make(2)]).train(stack_size=2)
    paused = [make(seed, stop_step=6) for seed in (1, 2)]
    TrainedRuns(paused).train(stack_size=2)
    resumed = TrainedRuns(
        [
            make(seed, state=spec.output / "state-6")
            for seed, spec in zip((1, 2), paused, strict=True)
        ]
    ).train(stack_size=2)
    for run_id in ("ftrun-1", "ftrun-2"):
        assert resumed.get_finished(run_id) == whole.get_finished(run_id)
        assert not any(isinstance(item, HeadFitted) for item in resumed.items[run_id])


@pytest.mark.parametrize("count", [1, 2])
def test_a_run_can_be_stopped_while_its_head_is_fitted(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = build_bert_folder(tmp_path / "base")
    is_fitting = []
    measure = "worker.training.head_first.fitted_head.compute_head_inputs"

    def compute_inputs(*arguments: Any) -> Any:
        is_fitting.append(True)
        check_stop = arguments[-1]
        check_stop()
        raise AssertionError("the run was stopped")

    monkeypatch.setattr(measure, compute_inputs)
    specs = [
        make_spec(
            tmp_path,
            base,
            recipe=make_recipe(head_first=True),
            run_id=f"ftrun-{seed}",
            init_seed=seed + 100,
        )
        for seed in range(count)
    ]
    if count == 1:
        with pytest.raises(StopRequested):
            list(train_run(specs[0], lambda: bool(is_fitting)))
    else:
        runs = TrainedRuns(specs).train(stack_size=count, is_stopped=lambda _: bool(is_fitting))
        assert all(isinstance(runs.get_last_item(spec.run_id), StopRequested) for spec in specs)
