"""The weights that passes are computed with: the network's own in float32, or a bfloat16 replica.

The network is always float32: the optimizer updates it, and clipping, checkpoints, resume states
and the export use it alone. With ``precision: bfloat16``, forward and backward run on a replica.
After a backward pass the replica's gradients are copied to the network in float32; after an update
its weights are cast from the network's, once per step and not once per use as with autocast.

Where bfloat16 would hurt or not speed up, the replica shares the network's float32 parameter, whose
gradient needs no copy:

- the embeddings (tables and norm), whose output is cast. Their gradient is a sum over the tokens of
  a batch, row by row, and a sum of many small terms stalls in 8 bits; and no matrix product would
  be faster.
- tables of biases that are looked up (MPNet's relative positions), for the same reasons.
- norms on a CPU: its kernels take bfloat16 activations with float32 weights.
- the map from a cosine to a prediction: 8 bits of its result would round the labels' scale.
- weights under mixout. It subtracts nearly equal numbers, so the mixing is done in float32 and its
  result is cast.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import PreTrainedModel

from shared.recipe import Precision
from worker.training.model.dropout import install_bit_dropout
from worker.training.model.module_groups import get_family, is_bias
from worker.training.model.pair_heads import ComparisonHead
from worker.training.optim.optimizer import compute_gradient_norm, get_chunk_size, split_into_chunks


class ComputeWeights(Protocol):
    """The weights that forward and backward passes use."""

    @property
    def module(self) -> PreTrainedModel:
        """The network to call in a pass."""

    def transfer_gradients(self) -> None:
        """Move the gradients of a backward pass to the network's parameters."""

    def transfer_and_measure_gradients(self) -> Tensor:
        """Move the gradients and return their Euclidean norm, without waiting for the device."""

    def refresh_replica(self, parameters: Sequence[Tensor] | None = None) -> None:
        """Apply a change of the network's parameters, or of the given ones, to the passes."""


def create_compute_weights(network: PreTrainedModel, precision: Precision) -> ComputeWeights:
    """Create the weights of a network that is on its device and, if the recipe asks, under mixout.

    On a CPU, the dropout of the network or of its replica is replaced as ``dropout.py`` describes.
    """
    weights = BFloat16Weights(network) if precision == "bfloat16" else Float32Weights(network)
    if network.device.type == "cpu":
        install_bit_dropout(weights.module)
    return weights


class Float32Weights:
    """The network itself, so that there is nothing to copy or cast."""

    def __init__(self, network: PreTrainedModel) -> None:
        self.module = network
        self._parameters = list(network.parameters())

    def transfer_gradients(self) -> None: ...

    def transfer_and_measure_gradients(self) -> Tensor:
        return compute_gradient_norm(self._parameters)

    def refresh_replica(self, parameters: Sequence[Tensor] | None = None) -> None: ...


class BFloat16Weights:
    """A bfloat16 replica that shares the network's buffers and the parameters that stay float32."""

    def __init__(self, network: PreTrainedModel) -> None:
        shared = set(_iterate_float32_parameters(network))
        not_copied = [*shared, *network.buffers()]
        self.module = deepcopy(network, {id(tensor): tensor for tensor in not_copied})
        pairs = list(zip(network.parameters(), self.module.parameters(), strict=True))
        self._copies: dict[Tensor, Tensor] = {
            master: copy for master, copy in pairs if master not in shared
        }
        self._gradients: dict[Tensor, Tensor] = {
            master: torch.empty_like(master) for master in self._copies
        }
        self._chunks = list(
            split_into_chunks([master for master, _ in pairs], get_chunk_size(network.device))
        )
        for copy in self._copies.values():
            copy.data = copy.data.bfloat16()
        _cast_outputs(self.module)

    def transfer_gradients(self) -> None:
        """Copy the gradients into preallocated buffers; an unused parameter keeps no gradient."""
        for chunk in self._chunks:
            self._transfer_chunk(chunk)

    @torch.no_grad()
    def transfer_and_measure_gradients(self) -> Tensor:
        """Copy and measure a few parameters at a time, while a CPU has them in its cache."""
        norms: list[Tensor] = []
        for chunk in self._chunks:
            self._transfer_chunk(chunk)
            gradients = [master.grad for master in chunk if master.grad is not None]
            norms += torch._foreach_norm(gradients) if gradients else []
        norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
        return norm

    @torch.no_grad()
    def _transfer_chunk(self, masters: Sequence[Tensor]) -> None:
        buffers, gradients = [], []
        for master in masters:
            copy = self._copies.get(master)
            if copy is not None and copy.grad is not None:
                buffers.append(self._gradients[master])
                gradients.append(copy.grad)
                master.grad, copy.grad = buffers[-1], None
        _copy_tensors(buffers, gradients)

    @torch.no_grad()
    def refresh_replica(self, parameters: Sequence[Tensor] | None = None) -> None:
        masters = [master for master in parameters or self._copies if master in self._copies]
        _copy_tensors([self._copies[master] for master in masters], masters)


def _copy_tensors(targets: list[Tensor], sources: list[Tensor]) -> None:
    if targets:
        torch._foreach_copy_(targets, sources)


class CastToBFloat16(nn.Module):
    """Last parametrization of a weight that is computed in float32 at each use."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.bfloat16()


def _iterate_lookup_modules(network: PreTrainedModel) -> Iterator[nn.Module]:
    """Iterate over the modules that stay float32 and whose output is cast.

    These are the embeddings and the tables of biases in the blocks.
    """
    yield network.get_submodule(get_family(network).embeddings[0])
    yield from (
        module
        for path, module in network.named_modules()
        if isinstance(module, nn.Embedding) and is_bias(path)
    )


def _iterate_float32_parameters(network: PreTrainedModel) -> Iterator[Tensor]:
    for module in _iterate_lookup_modules(network):
        yield from module.parameters()
    for module in network.modules():
        if isinstance(module, nn.LayerNorm) and network.device.type == "cpu":
            yield from module.parameters()
        if isinstance(module, parametrize.ParametrizationList):
            yield module.original
        if isinstance(module, ComparisonHead):
            yield from module.parameters()


def _cast_outputs(replica: PreTrainedModel) -> None:
    for module in _iterate_lookup_modules(replica):
        module.register_forward_hook(lambda _module, _inputs, output: output.bfloat16())
    for module in list(replica.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.register_parametrization(module, "weight", CastToBFloat16(), unsafe=True)
