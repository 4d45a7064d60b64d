"""K networks of one architecture as one: every parameter has a leading dimension K, the seed.

The family's own network is kept, with its names, its configuration and its order of operations;
only the modules that own parameters are replaced, by ones that take (K, …, width) and use
weights[k] for k. So a stack does for K seeds in one batched matrix product what they would do
in K small ones, and all that goes by a parameter's name or by its module's kind (parts, groups
of rates and decay, mixout, states) works on it as on a single network.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from worker.training.packed.packing import is_padding_free


class NotStackable(Exception):
    """The network's batches cannot go without padding, or it owns parameters in a module for
    which no stacked form is written.
    """


class StackedLinear(nn.Linear):
    """K Linear layers: ``weight`` (K, outputs, inputs), ``bias`` (K, outputs)."""

    def __init__(self, single: nn.Linear, stack_size: int) -> None:
        nn.Module.__init__(self)  # not Linear's, which would draw weights
        self.in_features, self.out_features = single.in_features, single.out_features
        _stack_parameters(self, single, stack_size)

    def forward(self, states: Tensor) -> Tensor:
        """``states`` (K, …, inputs)."""
        flat = states.flatten(1, -2)
        weight = self.weight.transpose(1, 2)
        out = (
            torch.bmm(flat, weight)
            if self.bias is None
            else torch.baddbmm(self.bias[:, None], flat, weight)
        )
        return out.view(*states.shape[:-1], self.out_features)


class StackedEmbedding(nn.Embedding):
    """K tables as one: ``weight`` (K, entries, width), where seed k's ids lie k · entries
    further on.
    """

    def __init__(self, single: nn.Embedding, stack_size: int) -> None:
        nn.Module.__init__(self)
        for name in nn.Embedding.__constants__:
            setattr(self, name, getattr(single, name))
        _stack_parameters(self, single, stack_size)

    def forward(self, ids: Tensor) -> Tensor:
        """``ids`` (K, …), or (1, …) for the same in every seed."""
        count, entries, width = self.weight.shape
        offsets = (
            torch.arange(count, device=ids.device).mul_(entries).view(count, *[1] * (ids.dim() - 1))
        )
        places = ids + offsets
        if self.padding_idx is not None:
            # this entry never gets a gradient, so it is the same in every seed: all take it
            # from the first, by torch's own exemption
            places = torch.where(ids == self.padding_idx, self.padding_idx, places)
        return functional.embedding(
            places, self.weight.view(count * entries, width), self.padding_idx
        )


class StackedLayerNorm(nn.LayerNorm):
    """K LayerNorms: ``weight`` and, where there is one, ``bias`` (K, width)."""

    def __init__(self, single: nn.LayerNorm, stack_size: int) -> None:
        nn.Module.__init__(self)
        for name in nn.LayerNorm.__constants__:
            setattr(self, name, getattr(single, name))
        _stack_parameters(self, single, stack_size)

    def forward(self, states: Tensor) -> Tensor:
        """``states`` (K, …, width); weights may be of a wider type, which the result is not."""
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
        room = (
            None
            if parameter is None
            else nn.Parameter(parameter.new_empty((stack_size, *parameter.shape)))
        )
        stacked.register_parameter(name, room)


def check_stackable(network: PreTrainedModel) -> None:
    """Raises NotStackable."""
    if (
        not is_padding_free(network)
        or getattr(network.config, "classifier_pooling", "cls") == "mean"
    ):
        raise NotStackable(f"a {network.config.model_type} of this kind")
    for path, module in network.named_modules():
        owns = [
            name
            for name, parameter in module.named_parameters(recurse=False)
            if parameter is not None
        ]
        if owns and type(module) not in _STACKED_TYPES:
            raise NotStackable(f"{path} is a {type(module).__name__}")


def stack_networks(networks: Iterator[PreTrainedModel], stack_size: int) -> PreTrainedModel:
    """``width`` networks as one on the device of the first, which is used up; the others are
    held one at a time.

    Raises NotStackable.
    """
    stacked = next(networks)
    check_stackable(stacked)
    first = {name: tensor.detach() for name, tensor in stacked.state_dict().items()}
    for path, module in list(stacked.named_modules()):  # each once, however many layers use it
        make = _STACKED_TYPES.get(type(module))
        if make is not None:
            _replace_module(stacked, path, make(module, stack_size).train(module.training))
    load_seed_weights(stacked, 0, first)
    for place, network in enumerate(networks, start=1):
        load_seed_weights(stacked, place, network.state_dict())
    return stacked


def _replace_module(network: PreTrainedModel, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, module)


def get_seed_weights(stacked: nn.Module, place: int) -> dict[str, Tensor]:
    """The state dict of one seed's network: views of the stack's."""
    return {name: tensor[place] for name, tensor in stacked.state_dict().items()}


@torch.no_grad()
def load_seed_weights(stacked: nn.Module, place: int, weights: Mapping[str, Tensor]) -> None:
    """Give one seed the weights of a single network's state dict."""
    own = stacked.state_dict()
    assert own.keys() == weights.keys(), "a stack has the names of the networks that it is made of"
    for name, tensor in weights.items():
        own[name][place].copy_(tensor)
