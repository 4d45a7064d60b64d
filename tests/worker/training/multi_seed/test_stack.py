"""Randomness of a stack: dropout, mixout, and repeatability."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from tests.worker.training.multi_seed.stacks import TrainedRuns, make_specs
from tests.worker.training.runs import make_recipe, never_stop
from worker.training.data.split import Splits, load_splits
from worker.training.data.tokenization import TextCache
from worker.training.model.forward import Forward
from worker.training.multi_seed.seed import SeedRun
from worker.training.multi_seed.stack import SeedStack
from worker.training.network_setup import build_network
from worker.training.optim.mixout import Mixout
from worker.training.optim.objective import get_plain_objective
from worker.training.spec import RunSpec

SEEDS, PASSES = 4, 60


def build_stack_of_equal_seeds(folder: Path, base: Path) -> tuple[SeedStack, RunSpec, Splits]:
    """Build a stack of seeds with the same weights and rows, so that only dropout differs."""
    specs = make_specs(folder, base, SEEDS, recipe=make_recipe(reinit_layers=0))
    same = [spec.model_copy(update={"init_seed": 1, "data_seed": 1}) for spec in specs]
    splits = load_splits(same[0], TextCache(), never_stop)
    return SeedStack([SeedRun(spec, splits) for spec in same], splits, never_stop), same[0], splits


@torch.no_grad()
def test_dropout_has_the_distribution_of_a_single_run(tmp_path: Path, tiny_bert: Path) -> None:
    stack, spec, splits = build_stack_of_equal_seeds(tmp_path, tiny_bert)
    rows = splits.train.rows[:8]
    objective = get_plain_objective(spec.task.type)
    single = build_network(spec, splits)
    forward = Forward(single)
    forward.train()
    stack.forward.train()
    torch.manual_seed(0)
    batch = forward.build_batch(splits.train.text, rows)
    alone = torch.stack([objective(forward(batch), batch.labels) for _ in range(SEEDS * PASSES)])
    side_by_side = stack.forward.build_batch(stack.splits.train.text, [rows] * SEEDS)
    compute_losses = torch.func.vmap(objective)
    losses = torch.stack(
        [compute_losses(stack.forward(side_by_side), side_by_side.labels) for _ in range(PASSES)]
    )
    # standard error of a mean; that of the difference of two means is √2 times as large
    error = (alone.var() / alone.numel()).sqrt()
    assert abs(losses.mean() - alone.mean()) < 5 * error
    assert losses.std().item() == pytest.approx(alone.std().item(), rel=0.25)
    for seed in range(1, SEEDS):
        assert abs(compute_correlation(losses[:, 0], losses[:, seed])) < 0.5


def compute_correlation(one: Tensor, other: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one, other]))[0, 1])


@torch.no_grad()
def test_mixout_draws_masks_for_each_seed(tmp_path: Path, tiny_bert: Path) -> None:
    specs = make_specs(tmp_path, tiny_bert, 2, recipe=make_recipe(mixout=0.5, reinit_layers=0))
    same = [spec.model_copy(update={"init_seed": 1, "data_seed": 1}) for spec in specs]
    splits = load_splits(same[0], TextCache(), never_stop)
    stack = SeedStack([SeedRun(spec, splits) for spec in same], splits, never_stop)
    layer = stack.network.get_submodule("bert.pooler.dense")
    assert isinstance(layer, nn.Linear)
    mixed = layer.get_submodule("parametrizations.weight")
    assert isinstance(mixed, ParametrizationList)
    [mixout] = mixed
    assert isinstance(mixout, Mixout)
    mixed.original.add_(1.0)
    stack.network.train()
    weight = layer.weight  # W0 where it is mixed, W0 + 2 elsewhere
    trained = (weight - mixout.start) > 1.0
    assert trained.float().mean(dim=(1, 2)).tolist() == pytest.approx([0.5, 0.5], abs=0.1)
    assert not torch.equal(trained[0], trained[1])


def test_the_same_stack_twice_has_the_same_events(tmp_path: Path, tiny_bert: Path) -> None:
    first, second = (
        TrainedRuns(make_specs(tmp_path, tiny_bert, 2, recipe=make_recipe(max_steps=4))).train(
            stack_size=2
        )
        for _ in range(2)
    )
    assert first.items == second.items


def test_runs_under_mixout_train_side_by_side(tmp_path: Path, tiny_bert: Path) -> None:
    stacked_runs = TrainedRuns(
        make_specs(tmp_path, tiny_bert, 2, recipe=make_recipe(mixout=0.3))
    ).train(stack_size=2)
    for run_id in stacked_runs.items:
        evidence = stacked_runs.get_finished(run_id).evidence
        assert evidence.closing_loss < evidence.opening_loss
