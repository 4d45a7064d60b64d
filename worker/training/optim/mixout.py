"""Mixout (Lee et al. 2020): each step trains the weights with a random part of them reset to W0.

    W_mix = (m·W0 + (1-m)·W - p·W0) / (1-p),   m ~ Bernoulli(p), per element,

so the mean over m is W itself. The gradient of W is (1-m)/(1-p) times that of W_mix, which
autograd finds. W_mix replaces W in every Linear of the encoder's blocks and of the pooler, biases
excepted; the new head is not mixed. Mixout is dropout with the pre-trained weights in place of
zero, so all other dropout is off. W0 is the value at the start of training: re-initialized tensors
as they were drawn.

A layer that is used more than once in a pass (ALBERT's blocks, DeBERTa's projections of words and
positions) gets a mask per use, as with dropout. Masks come from torch's global generator, which is
reseeded at every step from the run's ``data_seed``.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import PreTrainedModel

from worker.training.model.module_groups import list_module_groups


class Mixout(nn.Module):
    """Parametrisation that mixes one weight in training mode and passes it through otherwise."""

    start: Tensor

    def __init__(self, start: Tensor, probability: float) -> None:
        super().__init__()
        # not persistent: W0 can be recomputed, so checkpoints need not store it
        self.register_buffer("start", start, persistent=False)
        self._probability = probability

    def forward(self, weight: Tensor) -> Tensor:
        if not self.training:
            return weight
        mask = torch.empty_like(weight, requires_grad=False).bernoulli_(self._probability).bool()
        mixed = torch.where(mask, self.start, weight)
        return (mixed - self._probability * self.start) / (1 - self._probability)


def list_mixed_layers(network: PreTrainedModel) -> list[nn.Linear]:
    """Return the Linear layers of the blocks and of the pooler, each of them once."""
    encoder = [
        group for group in list_module_groups(network) if group.name.startswith(("block", "pooler"))
    ]
    return [
        module
        for group in encoder
        for path in group.module_paths
        for module in network.get_submodule(path).modules()
        if isinstance(module, nn.Linear)
    ]


def add_mixout(
    network: PreTrainedModel, probability: float, start: Mapping[Tensor, Tensor]
) -> None:
    """Put ``network`` under mixout and switch off its dropout.

    ``start`` maps the weight of each layer in ``list_mixed_layers`` to its W0.
    """
    switch_off_dropout(network)
    for layer in list_mixed_layers(network):
        # evaluation mode, because registering calls it and must not draw a mask
        mixout = Mixout(start[layer.weight], probability).eval()
        parametrize.register_parametrization(layer, "weight", mixout)


def remove_mixout(network: PreTrainedModel) -> None:
    """Restore plain Linear layers with the trained weights and their original names."""
    for module in list(network.modules()):
        if isinstance(module, nn.Linear) and parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)


def switch_off_dropout(network: nn.Module) -> None:
    """Set every dropout probability to 0.

    That includes attributes from which some families pass a probability to a function, as
    ModernBERT's attention does.
    """
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)
