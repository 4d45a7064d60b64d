"""The training loop: order of its events, clipping, and steps that are not finite."""

from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import PreTrainedModel

from shared.metrics import Scoring
from shared.recipe import Recipe
from tests.worker.training.runs import make_recipe, make_spec, never_stop
from worker.training.data.split import load_splits
from worker.training.data.tokenization import TextCache
from worker.training.errors import TrainingDiverged
from worker.training.evaluation import evaluate_split
from worker.training.events import Evaluation, Step
from worker.training.loop import TrainingPlan, TrainingSetup, train
from worker.training.model.checkpoint import BestCheckpoint
from worker.training.model.encoder import load_encoder
from worker.training.model.forward import Forward
from worker.training.model.initial_weights import copy_initial_weights
from worker.training.model.precision import create_compute_weights
from worker.training.optim.optimizer import Optimizer
from worker.training.run import iterate_training_batches


@pytest.fixture
def network(tiny_bert: Path, tmp_path: Path) -> PreTrainedModel:
    spec = make_spec(tmp_path / "any", tiny_bert)
    return load_encoder(spec.base_model, spec.task, spec.init_seed)


def train_network(
    network: PreTrainedModel, base_model: Path, folder: Path, recipe: Recipe, read_delay: int = 0
) -> Iterator[Step | Evaluation]:
    spec = make_spec(folder, base_model, recipe=recipe)
    splits = load_splits(spec, TextCache(), never_stop)
    scoring = Scoring(spec.task, spec.metric)
    compute_weights = create_compute_weights(network, recipe.precision)
    forward = Forward(compute_weights.module)
    setup = TrainingSetup(
        network=network,
        compute_weights=compute_weights,
        forward=forward,
        objective=functional.cross_entropy,
        optimizer=Optimizer(network, recipe, copy_initial_weights(network, recipe)),
        best=BestCheckpoint(recipe.select),
    )
    return train(
        setup,
        TrainingPlan(recipe, data_seed=1, read_delay=read_delay),
        iterate_training_batches(spec, splits, forward, never_stop),
        lambda: evaluate_split(forward, splits.validation, scoring, never_stop),
    )


def test_every_step_is_reported_and_the_last_evaluation_is_at_the_end(
    network: PreTrainedModel, tiny_bert: Path, tmp_path: Path
) -> None:
    events = list(
        train_network(network, tiny_bert, tmp_path, make_recipe(max_steps=10, eval_points=3))
    )
    reported = [(type(event), event.step) for event in events]
    expected: list[tuple[type[Step | Evaluation], int]] = []
    for step in range(1, 11):
        expected.append((Step, step))
        if step in (4, 7, 10):
            expected.append((Evaluation, step))
    assert reported == expected


def test_the_network_is_in_training_mode_at_every_step(
    network: PreTrainedModel, tiny_bert: Path, tmp_path: Path
) -> None:
    modes: list[bool] = []
    head = network.get_submodule("classifier")
    head.register_forward_hook(
        lambda module, *_: modes.append(module.training) if torch.is_grad_enabled() else None
    )
    list(train_network(network, tiny_bert, tmp_path, make_recipe(max_steps=6, eval_points=3)))
    assert modes == [True] * 6


def test_the_first_warmup_step_changes_nothing_and_the_second_does(
    network: PreTrainedModel, tiny_bert: Path, tmp_path: Path
) -> None:
    before = network.get_parameter("classifier.weight").detach().clone()
    steps = train_network(network, tiny_bert, tmp_path, make_recipe(max_steps=20))
    first = next(steps)
    assert isinstance(first, Step)
    assert first.learning_rate == 0.0
    assert torch.equal(network.get_parameter("classifier.weight"), before)
    next(steps)
    assert not torch.equal(network.get_parameter("classifier.weight"), before)


def test_the_reported_norm_is_that_before_clipping(
    network: PreTrainedModel, tiny_bert: Path, tmp_path: Path
) -> None:
    step = next(train_network(network, tiny_bert, tmp_path, make_recipe(max_grad_norm=0.01)))
    assert isinstance(step, Step)
    assert step.grad_norm > 0.01
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert torch.nn.utils.get_total_norm(gradients).item() == pytest.approx(0.01, rel=1e-3)


def copy_weights(network: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.named_parameters()}


def test_a_nan_loss_ends_the_run_before_the_update(
    network: PreTrainedModel, tiny_bert: Path, tmp_path: Path
) -> None:
    steps = train_network(network, tiny_bert, tmp_path, make_recipe(max_steps=20))
    list(islice(steps, 2))
    with torch.no_grad():
        network.get_parameter("classifier.bias")[0] = torch.nan
    before = copy_weights(network)
    with pytest.raises(TrainingDiverged, match="step 3") as caught:
        next(steps)
    assert caught.value.to_reason().code == "nan_loss"
    after = copy_weights(network)
    assert all(
        torch.equal(before[name], after[name]) for name in before if name != "classifier.bias"
    )


def test_an_infinite_gradient_ends_the_run_before_the_update(
    network: PreTrainedModel, tiny_bert: Path, tmp_path: Path
) -> None:
    network.get_parameter("classifier.weight").register_hook(lambda gradient: gradient / 0)
    steps = train_network(network, tiny_bert, tmp_path, make_recipe(max_steps=20, warmup_ratio=0.0))
    before = copy_weights(network)
    with pytest.raises(TrainingDiverged, match="step 1: the loss is 0"):
        next(steps)
    after = copy_weights(network)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("delay", [1, 3, 50])
def test_delayed_metrics_are_the_same_in_the_same_order(
    delay: int, network: PreTrainedModel, tiny_bert: Path, tmp_path: Path
) -> None:
    """A delay of 50 exceeds the steps between evaluations, before which all steps are reported."""
    recipe = make_recipe(max_steps=10, eval_points=3)
    at_once = list(train_network(deepcopy(network), tiny_bert, tmp_path, recipe))
    assert list(train_network(network, tiny_bert, tmp_path, recipe, read_delay=delay)) == at_once


def test_a_step_is_reported_after_the_delay(
    network: PreTrainedModel, tiny_bert: Path, tmp_path: Path
) -> None:
    passes: list[int] = []
    network.get_submodule("classifier").register_forward_hook(lambda *_: passes.append(1))
    for event in islice(
        train_network(
            network, tiny_bert, tmp_path, make_recipe(max_steps=20, eval_points=1), read_delay=2
        ),
        5,
    ):
        assert len(passes) == event.step + 2


@pytest.mark.parametrize(
    "changes", [{}, {"bias_correction": False}, {"pretrained_weight_decay": 0.1}], ids=str
)
def test_with_a_delay_a_step_that_is_not_finite_changes_nothing(
    changes: dict[str, object], network: PreTrainedModel, tiny_bert: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(max_steps=12, eval_points=1, warmup_ratio=0.0, **changes)
    passes: list[dict[str, torch.Tensor]] = []

    def corrupt_gradient(gradient: torch.Tensor) -> torch.Tensor:
        passes.append(copy_weights(network))
        return gradient / 0 if len(passes) == 4 else gradient

    network.get_parameter("classifier.weight").register_hook(corrupt_gradient)
    steps = train_network(network, tiny_bert, tmp_path, recipe, read_delay=3)
    reported: list[int] = []
    with pytest.raises(TrainingDiverged, match="step 4: the loss is 0"):
        reported.extend(event.step for event in steps)
    assert reported == [1, 2, 3]
    assert len(passes) == 7  # the device continued with unchanged weights
    assert all(torch.equal(passes[3][name], passes[4][name]) for name in passes[3])
    assert not all(torch.equal(passes[2][name], passes[3][name]) for name in passes[3])
