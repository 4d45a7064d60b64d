"""Stacked layers: K networks of one architecture as one with a leading seed dimension K.

The family's own network is kept, with its names, its configuration and its order of operations.
Only the modules that own parameters are replaced, by modules that take (K, …, width) and use
weights[k] for seed k. So one batched matrix product replaces K small ones, and everything that
depends on parameter names or module types (module groups, parameter groups, mixout, resume states)
works on a stack as on a single network.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from worker.training.packed.packing import has_mean_pooling_head, is_padding_free


class NotStackable(Exception):
    """The network cannot take packed batches, or a module with parameters has no stacked form."""


class StackedLinear(nn.Linear):
    """K Linear layers with ``weight`` (K, outputs, inputs) and ``bias`` (K, outputs)."""

    def __init__(self, single: nn.Linear, stack_size: int) -> None:
        nn.Module.__init__(self)  # Linear's own would draw weights
        self.in_features, self.out_features = single.in_features, single.out_features
        _stack_parameters(self, single, stack_size)

    def forward(self, states: Tensor) -> Tensor:
        """Apply seed k's layer to ``states[k]``; ``states`` has shape (K, …, inputs)."""
        flat = states.flatten(1, -2)
        weight = self.weight.transpose(1, 2)
        out = (
            torch.bmm(flat, weight)
            if self.bias is None
            else torch.baddbmm(self.bias[:, None], flat, weight)
        )
        return out.view(*states.shape[:-1], self.out_features)


class StackedEmbedding(nn.Embedding):
    """K tables with ``weight`` (K, entries, width); seed k's ids are offset by k · entries."""

    def __init__(self, single: nn.Embedding, stack_size: int) -> None:
        nn.Module.__init__(self)
        for name in nn.Embedding.__constants__:
            setattr(self, name, getattr(single, name))
        _stack_parameters(self, single, stack_size)

    def forward(self, ids: Tensor) -> Tensor:
        """Look up ``ids`` of shape (K, …), or (1, …) for the same ids in every seed."""
        count, entries, width = self.weight.shape
        offsets = (
            torch.arange(count, device=ids.device).mul_(entries).view(count, *[1] * (ids.dim() - 1))
        )
        places = ids + offsets
        if self.padding_idx is not None:
            # the padding entry never gets a gradient, so it is the same for every seed: all take
            # the first seed's, which torch then exempts from the gradient
            places = torch.where(ids == self.padding_idx, self.padding_idx, places)
        return functional.embedding(
            places, self.weight.view(count * entries, width), self.padding_idx
        )


class StackedLayerNorm(nn.LayerNorm):
    """K LayerNorms with ``weight`` and, if the single one has it, ``bias`` (K, width)."""

    def __init__(self, single: nn.LayerNorm, stack_size: int) -> None:
        nn.Module.__init__(self)
        for name in nn.LayerNorm.__constants__:
            setattr(self, name, getattr(single, name))
        _stack_parameters(self, single, stack_size)

    def forward(self, states: Tensor) -> Tensor:
        """Normalize ``states`` (K, …, width); the result has their type, not the weights'."""
        normal = functional.layer_norm(states, self.normalized_shape, eps=self.eps)
        shape = (-1, *[1] * (states.dim() - 2), states.shape[-1])
        scaled = normal * self.weight.view(shape)
        return (scaled if self.bias is None else scaled + self.bias.view(shape)).to(states.dtype)


_STACKED_TYPES = {
    nn.Linear: StackedLinear,
    nn.Embedding: StackedEmbedding,
    nn.LayerNorm: StackedLayerNorm,
}


def _stack_parameters(stacked: nn.Module, single: nn.Module, stack_size: int) -> None:
    for name, parameter in single._parameters.items():
        empty = None
        if parameter is not None:
            empty = nn.Parameter(parameter.new_empty((stack_size, *parameter.shape)))
        stacked.register_parameter(name, empty)


def check_stackable(network: PreTrainedModel) -> None:
    """Raise NotStackable if the network cannot be stacked."""
    if not is_padding_free(network) or has_mean_pooling_head(network):
        raise NotStackable(f"{network.config.model_type} cannot take packed batches in a stack")
    for path, module in network.named_modules():
        has_parameters = any(True for _ in module.parameters(recurse=False))
        if has_parameters and type(module) not in _STACKED_TYPES:
            raise NotStackable(f"{path} is a {type(module).__name__}, which has no stacked form")


def stack_networks(networks: Iterator[PreTrainedModel], stack_size: int) -> PreTrainedModel:
    """Stack ``stack_size`` networks on the device of the first one, which is modified.

    The other networks are taken from the iterator one at a time. Raise NotStackable if the first
    one cannot be stacked.
    """
    stacked = next(networks)
    check_stackable(stacked)
    first = {name: tensor.detach() for name, tensor in stacked.state_dict().items()}
    for path, module in list(stacked.named_modules()):  # each module once, even if layers share it
        stacked_type = _STACKED_TYPES.get(type(module))
        if stacked_type is not None:
            replacement = stacked_type(module, stack_size).train(module.training)
            _replace_module(stacked, path, replacement)
    load_seed_weights(stacked, 0, first)
    for index, network in enumerate(networks, start=1):
        load_seed_weights(stacked, index, network.state_dict())
    return stacked


def _replace_module(network: PreTrainedModel, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, module)


def get_seed_weights(stacked: nn.Module, index: int) -> dict[str, Tensor]:
    """Return the state dict of one seed's network, as views of the stack's tensors."""
    return {name: tensor[index] for name, tensor in stacked.state_dict().items()}


@torch.no_grad()
def load_seed_weights(stacked: nn.Module, index: int, weights: Mapping[str, Tensor]) -> None:
    """Load a single network's state dict into one seed."""
    stacked_weights = stacked.state_dict()
    assert stacked_weights.keys() == weights.keys(), "a stack keeps the names of its networks"
    for name, tensor in weights.items():
        stacked_weights[name][index].copy_(tensor)
