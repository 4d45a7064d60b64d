"""What a pass is computed with: the network's own float32 weights, or a replica of them in
bfloat16.

The network is the float32 truth either way: the optimiser updates it, and clipping,
checkpoints, states and the export know it alone. Under ``precision: bfloat16`` forward and
backward are made with a replica. After a backward its gradients are brought to the network's
float32 ones; after an update its weights are cast from the network's, once a step and not, as
under autocast, once a use.

What bfloat16 would spoil or not speed up is no copy but the network's own float32 parameter,
whose gradient needs no way back:

- the embeddings (tables, norm), whose output is cast. Their gradient is a sum over the tokens
  of a batch, row by row, and a sum of many small terms stalls in 8 bits; and no matrix product
  would be faster.
- tables of biases that are looked up (MPNet's relative positions), likewise.
- on a CPU, norms: its kernels take bfloat16 activations with float32 weights.
- weights under mixout. It subtracts nearly equal numbers, so the mixing is float32's, and its
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
from worker.training.optim.optimizer import compute_gradient_norm, get_chunk_size, split_into_chunks


class ComputeWeights(Protocol):
    """The weights that the passes of a training are made with."""

    @property
    def module(self) -> PreTrainedModel:
        """What takes the inputs of a pass."""

    def transfer_gradients(self) -> None:
        """After a backward: its gradients become those of the network's parameters."""

    def transfer_and_measure_gradients(self) -> Tensor:
        """The same, and their Euclidean norm, as a tensor: reading it is left to the caller."""

    def refresh_replica(self, parameters: Sequence[Tensor] | None = None) -> None:
        """After a change of the network's parameters, or of these alone: passes are made with
        them from now on.
        """


def create_compute_weights(network: PreTrainedModel, precision: Precision) -> ComputeWeights:
    """Call it when the network is as training begins: on its device, and under mixout where the
    recipe has it.

    On a CPU the dropout of what passes are made with, the network itself or its replica, is
    drawn as ``dropout.py`` says from then on.
    """
    weights = BFloat16Weights(network) if precision == "bfloat16" else Float32Weights(network)
    if network.device.type == "cpu":
        install_bit_dropout(weights.module)
    return weights


class Float32Weights:
    """The network itself, so that there is nothing to bring and nothing to cast."""

    def __init__(self, network: PreTrainedModel) -> None:
        self.module = network

        self._parameters = list(network.parameters())

    def transfer_gradients(self) -> None: ...

    def transfer_and_measure_gradients(self) -> Tensor:
        return compute_gradient_norm(self._parameters)

    def refresh_replica(self, parameters: Sequence[Tensor] | None = None) -> None: ...


class BFloat16Weights:
    """A replica, which shares the network's buffers and what stays float32."""

    def __init__(self, network: PreTrainedModel) -> None:
        shared = set(_iterate_float32_parameters(network))
        kept = [*shared, *network.buffers()]
        self.module = deepcopy(network, {id(tensor): tensor for tensor in kept})
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
        """Into buffers that were made once. A parameter that the pass did not use has no
        gradient, as in the network itself.
        """
        for part in self._chunks:
            self._transfer_chunk(part)

    @torch.no_grad()
    def transfer_and_measure_gradients(self) -> Tensor:
        """A few parameters at a time, so that a CPU has them in its cache still."""
        norms: list[Tensor] = []
        for part in self._chunks:
            self._transfer_chunk(part)
            found = [master.grad for master in part if master.grad is not None]
            norms += torch._foreach_norm(found) if found else []
        norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
        return norm

    @torch.no_grad()
    def _transfer_chunk(self, masters: Sequence[Tensor]) -> None:
        buffers, found = [], []
        for master in masters:
            copy = self._copies.get(master)
            if copy is not None and copy.grad is not None:
                buffers.append(self._gradients[master])
                found.append(copy.grad)
                master.grad, copy.grad = buffers[-1], None
        _copy_tensors(buffers, found)

    @torch.no_grad()
    def refresh_replica(self, parameters: Sequence[Tensor] | None = None) -> None:
        masters = [master for master in parameters or self._copies if master in self._copies]
        _copy_tensors([self._copies[master] for master in masters], masters)


def _copy_tensors(targets: list[Tensor], sources: list[Tensor]) -> None:
    if targets:
        torch._foreach_copy_(targets, sources)


class CastToBFloat16(nn.Module):
    """The last parametrisation of a weight that is made in float32 at each use."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.bfloat16()


def _iterate_lookup_modules(network: PreTrainedModel) -> Iterator[nn.Module]:
    """The modules that stay float32 and whose output is cast: embeddings, and tables of biases
    further up.
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


def _cast_outputs(replica: PreTrainedModel) -> None:
    for module in _iterate_lookup_modules(replica):
        module.register_forward_hook(lambda _module, _inputs, output: output.bfloat16())
    for module in list(replica.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.register_parametrization(module, "weight", CastToBFloat16(), unsafe=True)
