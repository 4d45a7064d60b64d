"""bfloat16 passes with float32 masters: what is cast when, and what is never cast."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import PreTrainedModel

from shared.domain.task import SplitRequest
from tests.encoders import ENCODERS
from tests.worker.training.runs import (
    TrainedRun,
    make_recipe,
    make_review_rows,
    make_spec,
    make_task,
    write_tsv,
)
from tests.worker.training.test_run import LONG_ENOUGH, score_exported_model
from worker.training.model.dropout import BitDropout
from worker.training.model.encoder import load_encoder
from worker.training.model.precision import BFloat16Weights, Float32Weights, create_compute_weights
from worker.training.optim.mixout import add_mixout, list_mixed_layers
from worker.training.optim.optimizer import Optimizer

ORIGINAL = "parametrizations.weight.original"
IDS = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])


@pytest.fixture
def network(tiny_bert: Path) -> PreTrainedModel:
    return load_encoder(tiny_bert, make_task(), 0)


def enable_mixout(network: PreTrainedModel) -> PreTrainedModel:
    start = {layer.weight: layer.weight.detach() + 0.01 for layer in list_mixed_layers(network)}
    add_mixout(network, 0.3, start)
    return network


def run_backward(weights: BFloat16Weights) -> None:
    weights.module(input_ids=IDS).logits.float().square().sum().backward()
    weights.transfer_gradients()


def test_float32_is_the_network_itself(network: PreTrainedModel) -> None:
    assert isinstance(create_compute_weights(network, "float32"), Float32Weights)
    assert create_compute_weights(network, "float32").module is network


class CastCounter(TorchDispatchMode):
    """Counter of weight matrices that are cast from float32 to bfloat16."""

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._shapes = {
            parameter.shape for parameter in network.parameters() if parameter.ndim == 2
        }
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        targets = (
            result
            if isinstance(result, Tensor)
            else args[0]
            if func.__name__.startswith("_foreach_copy")
            else []
        )
        targets = [targets] if isinstance(targets, Tensor) else targets
        sources = args[1] if func.__name__.startswith("_foreach_copy") else args[:1]
        for target, source in zip(targets, sources, strict=False):
            if isinstance(source, Tensor) and (target.dtype, source.dtype) == (
                torch.bfloat16,
                torch.float32,
            ):
                self.count += target.shape == source.shape and target.shape in self._shapes
        return result


def test_weights_are_cast_once_per_step(network: PreTrainedModel) -> None:
    weights = BFloat16Weights(network)
    linear = sum(isinstance(module, nn.Linear) for module in network.modules())
    optimizer = Optimizer(network, make_recipe())
    with CastCounter(network) as in_passes:
        for _ in range(2):  # two batches use every weight twice
            run_backward(weights)
    assert in_passes.count == 0
    optimizer.step(1e-3)
    with CastCounter(network) as after_update:
        weights.refresh_replica()
    assert after_update.count == linear


def test_passes_use_the_updated_weights(network: PreTrainedModel) -> None:
    weights, optimizer = BFloat16Weights(network), Optimizer(network, make_recipe())
    for _ in range(3):
        optimizer.zero_grad()
        run_backward(weights)
        optimizer.step(1e-2)
        weights.refresh_replica()
        for (name, master), copy in zip(
            network.named_parameters(), weights.module.parameters(), strict=True
        ):
            assert master.dtype == torch.float32, name
            assert torch.equal(copy.float(), master.to(copy.dtype).float()), name


def test_gradients_are_float32_and_in_the_same_buffers_at_every_step(
    network: PreTrainedModel,
) -> None:
    weights, optimizer = BFloat16Weights(network), Optimizer(network, make_recipe())
    addresses: list[dict[str, int]] = []
    for _ in range(2):
        optimizer.zero_grad()
        run_backward(weights)
        gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
        assert {gradient.dtype for gradient in gradients.values() if gradient is not None} == {
            torch.float32
        }
        matrices = {
            name: gradient
            for name, gradient in gradients.items()
            if gradient is not None and name.endswith("dense.weight")
        }
        assert all(gradient.any() for gradient in matrices.values())
        addresses.append({name: gradient.data_ptr() for name, gradient in matrices.items()})
    assert addresses[0] == addresses[1]
    copies = [copy for copy in weights.module.parameters() if copy.dtype == torch.bfloat16]
    assert copies
    assert all(copy.grad is None for copy in copies)


def test_an_unused_parameter_has_no_gradient(network: PreTrainedModel) -> None:
    weights = BFloat16Weights(network)
    weights.module.get_submodule("bert")(input_ids=IDS).pooler_output.float().sum().backward()
    weights.transfer_gradients()
    assert network.get_parameter("classifier.weight").grad is None
    assert network.get_parameter("bert.pooler.dense.weight").grad is not None


def test_gradients_are_close_to_those_of_float32(network: PreTrainedModel) -> None:
    network.eval()
    network(input_ids=IDS).logits.square().sum().backward()
    expected = {
        name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None
    }
    network.zero_grad()
    run_backward(BFloat16Weights(network))
    whole = torch.stack([gradient.norm() for gradient in expected.values()]).norm()
    for name, gradient in expected.items():
        found = network.get_parameter(name).grad
        assert found is not None
        # some gradients are rounding only: softmax does not depend on the key's bias
        assert (found - gradient).norm() < 0.05 * gradient.norm() + 0.002 * whole, name


def test_embeddings_and_norms_are_shared(network: PreTrainedModel) -> None:
    replica = BFloat16Weights(network).module
    for path, module in replica.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            shared = parameter is network.get_parameter(f"{path}.{name}")
            assert shared == isinstance(module, nn.Embedding | nn.LayerNorm), (path, name)
            assert parameter.dtype == (torch.float32 if shared else torch.bfloat16)


def test_states_between_the_blocks_are_bfloat16(network: PreTrainedModel) -> None:
    replica = BFloat16Weights(network).module
    states = replica.get_submodule("bert")(input_ids=IDS, output_hidden_states=True).hidden_states
    assert {state.dtype for state in states} == {torch.bfloat16}


def test_mixout_mixes_in_float32(network: PreTrainedModel) -> None:
    """In bfloat16 the difference of nearly equal weights would be mostly rounding."""
    enable_mixout(network)
    weights = BFloat16Weights(network)
    for exact, cast in zip(
        list_mixed_layers(network), list_mixed_layers(weights.module), strict=True
    ):
        torch.manual_seed(3)
        mixed = exact.train().weight
        torch.manual_seed(3)
        assert torch.equal(cast.train().weight, mixed.bfloat16())
        assert cast.get_parameter(ORIGINAL) is exact.get_parameter(ORIGINAL)
    weights.module.train()
    run_backward(weights)
    for layer in list_mixed_layers(network):
        gradient = layer.get_parameter(ORIGINAL).grad
        assert gradient is not None
        assert gradient.any()


def test_only_the_dropout_of_passes_draws_bits(
    network: PreTrainedModel,
) -> None:
    def list_dropout_types(model: PreTrainedModel) -> set[type]:
        return {type(module) for module in model.modules() if isinstance(module, nn.Dropout)}

    assert list_dropout_types(create_compute_weights(network, "bfloat16").module) == {BitDropout}
    assert list_dropout_types(network) == {nn.Dropout}
    assert list_dropout_types(create_compute_weights(network, "float32").module) == {BitDropout}


@pytest.mark.parametrize("family", ENCODERS)
def test_curves_agree_with_those_of_float32(family: str, tmp_path: Path) -> None:
    """Dropout is off because its draws differ; losses of about 0.69 may differ by 0.005."""
    base = ENCODERS[family](tmp_path / "base", dropout=0.0)
    recipe = make_recipe(learning_rate=1e-3, max_steps=6, eval_points=1)
    exact = TrainedRun(make_spec(tmp_path, base, recipe=recipe))
    found = TrainedRun(
        make_spec(tmp_path, base, recipe=recipe.model_copy(update={"precision": "bfloat16"}))
    )
    assert found.losses == pytest.approx(exact.losses, abs=5e-3)
    assert found.losses != exact.losses
    assert found.finished.weights_sha256 != exact.finished.weights_sha256


@pytest.mark.parametrize(
    "changes", [{}, {"mixout": 0.2}, {"bias_correction": False, "pretrained_weight_decay": 0.1}]
)
def test_the_same_spec_twice(changes: dict[str, object], tmp_path: Path, tiny_bert: Path) -> None:
    recipe = make_recipe(precision="bfloat16", **changes)
    first, second = (TrainedRun(make_spec(tmp_path, tiny_bert, recipe=recipe)) for _ in range(2))
    assert [event.model_dump() for event in first.events] == [
        event.model_dump() for event in second.events
    ]


def test_plain_transformers_gets_the_recorded_scores_in_float32(
    tmp_path: Path, tiny_bert: Path
) -> None:
    rows = make_review_rows(70)
    spec = make_spec(
        tmp_path,
        tiny_bert,
        training_file=write_tsv(tmp_path / "rows.tsv", rows),
        split=SplitRequest(validation_fraction=0.3, test_fraction=0.2),
        recipe=LONG_ENOUGH.model_copy(update={"precision": "bfloat16", "max_steps": 40}),
    )
    run = TrainedRun(spec)
    for split, result in (("validation", run.finished.validation), ("test", run.finished.test)):
        assert result is not None
        metrics, deviation = score_exported_model(spec, rows, split)
        assert deviation < 1e-5  # predictions in bfloat16 deviate a hundred times as much
        assert result.metrics == metrics
