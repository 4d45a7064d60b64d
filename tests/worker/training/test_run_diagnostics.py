"""Diagnostics measure the actual gradients and weights, and do not change the run."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel

from shared.domain.task import TaskType
from tests.worker.training.runs import TrainedRun, make_recipe, make_spec, make_task, never_stop
from worker.training.data.split import load_splits
from worker.training.data.tokenization import TextCache
from worker.training.events import Evaluation, Step
from worker.training.model.encoder import load_encoder
from worker.training.network_setup import build_network
from worker.training.run_diagnostics import (
    GradientMonitor,
    History,
    build_evidence,
    compute_answer_shares,
    compute_distances,
)
from worker.training.spec import RunSpec

BERT_GROUPS = ["embeddings", "block 0", "block 1", "block 2", "pooler", "head"]


@pytest.fixture
def spec(tmp_path: Path, tiny_bert: Path) -> RunSpec:
    return make_spec(tmp_path, tiny_bert, recipe=make_recipe(max_steps=20, eval_points=2))


def load_initial_network(spec: RunSpec) -> PreTrainedModel:
    return build_network(spec, load_splits(spec, TextCache(), never_stop))


def test_norms_by_module_group_add_up_to_the_whole_norm(spec: RunSpec) -> None:
    run = TrainedRun(spec)
    monitored = {step.step: step for step in run.steps if step.part_grad_norms}
    assert list(monitored) == [1, 2, 10, 20]  # the warm-up ends with step 2
    for step in monitored.values():
        assert list(step.part_grad_norms) == BERT_GROUPS
        assert math.hypot(*step.part_grad_norms.values()) == pytest.approx(step.grad_norm, rel=1e-5)


def test_a_group_without_a_gradient_has_no_norm(spec: RunSpec) -> None:
    network = load_initial_network(spec)
    monitor = GradientMonitor(network, spec.recipe)
    network.get_parameter("classifier.weight").grad = torch.full((2, 32), 0.5)
    assert {name: norm.item() for name, norm in monitor.compute_norms(1).items()} == {"head": 4.0}
    assert monitor.compute_norms(3) == {}


def test_distances_are_from_the_initial_to_the_last_weights(spec: RunSpec) -> None:
    chosen_early = TrainedRun(
        spec.model_copy(update={"recipe": spec.recipe.model_copy(update={"eval_points": 12})})
    )
    spec = spec.model_copy(update={"recipe": spec.recipe.model_copy(update={"select": "last"})})
    spec.output.joinpath("model").rename(spec.output / "chosen early")
    run = TrainedRun(spec)
    assert chosen_early.finished.best_step < run.finished.best_step
    assert run.finished.evidence.distance == chosen_early.finished.evidence.distance
    start = dict(load_initial_network(spec).named_parameters())
    end = load_file(spec.output / "model" / "model.safetensors")
    assert list(run.finished.evidence.distance) == BERT_GROUPS
    for group, prefix in (
        ("block 0", "bert.encoder.layer.0."),
        ("head", "classifier."),
        ("embeddings", "bert.embeddings."),
    ):
        before, after = (
            [weights[name] for name in start if name.startswith(prefix)] for weights in (start, end)
        )
        moved = math.hypot(*((b - a).norm().item() for a, b in zip(before, after, strict=True)))
        expected = moved / math.hypot(*(tensor.norm().item() for tensor in before))
        assert run.finished.evidence.distance[group] == pytest.approx(expected, rel=1e-5)
        assert expected > 0


def test_an_unchanged_network_has_distance_zero(spec: RunSpec) -> None:
    start, network = (load_encoder(spec.base_model, spec.task, 1) for _ in range(2))
    assert set(compute_distances(start, network).values()) == {0.0}


def test_shares_of_predicted_labels() -> None:
    task = make_task(label_names=["a", "b", "c"], positive_label=None)
    assert compute_answer_shares([0, 0, 1, 0], task) == {"a": 0.75, "b": 0.25, "c": 0.0}
    multi_label = make_task(type=TaskType.MULTI_LABEL, label_names=["a", "b"], positive_label=None)
    assert compute_answer_shares([(0,), (0, 1), (), ()], multi_label) == {"a": 0.5, "b": 0.25}
    regression = make_task(type=TaskType.REGRESSION, label_names=[], positive_label=None)
    assert compute_answer_shares([0.5], regression) is None


def make_history(losses: list[float], lower_norms: dict[int, float]) -> History:
    norms = {
        step: {"block 0": norm, "block 1": norm, "block 2": 1.0, "block 3": 1.0}
        for step, norm in lower_norms.items()
    }
    return History(
        losses=losses, gradients=norms, validation_losses={10: 0.5, 15: 0.3, 20: 0.4, 40: 0.9}
    )


def test_a_finished_run_is_summarized() -> None:
    losses = [0.7] * 20 + [1.5] * 2 + [0.7] * 14 + [0.1, 0.2, 0.3, 0.4]
    found = build_evidence(make_history(losses, {}), make_recipe(max_steps=40), 0.69, {}, None, 0.0)
    assert found.opening_loss == pytest.approx(0.7)
    assert found.closing_loss == pytest.approx(0.25)
    assert (found.highest_loss, found.highest_loss_step) == (1.5, 22)
    # the evaluation at step 15 was due to a pause and does not count
    assert (
        found.lowest_validation_loss,
        found.lowest_validation_step,
        found.final_validation_loss,
    ) == (0.4, 20, 0.9)
    assert found.is_unstable
    assert found.has_loss_fallen


def test_the_fitted_head_may_have_the_lowest_validation_loss() -> None:
    history = History(losses=[0.7] * 40, validation_losses={1: 0.2, 10: 0.5, 40: 0.9})
    recipe = make_recipe(max_steps=40, head_first=True)
    found = build_evidence(history, recipe, 0.69, {}, None, 0.0)
    assert (found.lowest_validation_loss, found.lowest_validation_step) == (0.2, 1)


@pytest.mark.parametrize(
    ("losses", "lower_norms", "step"),
    [
        ([0.7] * 40, {1: 0.1, 2: 0.09, 4: 1e-4, 40: 1e-6}, 4),
        ([0.7] * 40, {1: 0.1, 2: 0.09, 4: 0.002, 40: 0.05}, None),
        # the loss is small as well, so nothing is left to learn
        ([0.7] * 10 + [0.01] * 30, {1: 0.1, 2: 0.09, 40: 1e-4}, None),
        ([0.7] * 40, {2: 1e-6}, None),
    ],
)
def test_the_lower_gradient_vanishes_only_while_the_loss_is_at_chance(
    losses: list[float], lower_norms: dict[int, float], step: int | None
) -> None:
    vanished = build_evidence(
        make_history(losses, lower_norms), make_recipe(max_steps=40), 0.69, {}, None, 0.0
    ).vanished
    assert (vanished.step if vanished else None) == step


def test_a_collapsed_run_is_diagnosed(tmp_path: Path, tiny_bert: Path) -> None:
    recipe = make_recipe(
        learning_rate=1e-2, bias_correction=False, max_steps=40, max_grad_norm=0.0, reinit_layers=0
    )
    run = TrainedRun(make_spec(tmp_path, tiny_bert, recipe=recipe))
    assert run.finished.evidence.is_unstable or run.finished.evidence.vanished
    assert any("bias correction" in sentence for sentence in run.finished.diagnosis)


def test_a_history_survives_serialization() -> None:
    history = History()
    history.record_event(
        Step(
            step=1, train_loss=0.7, learning_rate=0.0, grad_norm=1.0, part_grad_norms={"head": 1.0}
        )
    )
    history.record_event(Evaluation(step=1, valid_loss=0.6, metrics={}, score=None, is_best=False))
    assert history.step == 1
    assert History.model_validate_json(history.model_dump_json()) == history
    assert history.gradients == {1: {"head": 1.0}}
