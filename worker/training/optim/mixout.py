"""Mixout (Lee et al. 2020): each step trains the weights with a random part of them put back to
where training began.

    W_mix = (m·W0 + (1-m)·W - p·W0) / (1-p),   m ~ Bernoulli(p), an element,

so that the mean over m is W itself; its gradient is (1-m)/(1-p) times that of W_mix, which
autograd finds. It takes the place of W in every Linear of the encoder's blocks and of the
pooler, biases apart; the new head is not mixed. It is dropout with the pre-trained weights in
the place of zero, so all other dropout is off. W0 is what training begins with, re-initialised
tensors as they were drawn.

A layer that is used more than once in a pass (ALBERT's blocks, DeBERTa's projections of words
and positions) gets a mask a use, as dropout would. Masks come from torch's global generator,
which is seeded anew at every step from the run's ``data_seed``.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import PreTrainedModel

from worker.training.model.module_groups import list_module_groups


class Mixout(nn.Module):
    """The parametrisation of one weight; in evaluation mode the weight itself."""

    start: Tensor

    def __init__(self, start: Tensor, probability: float) -> None:
        super().__init__()
        self.register_buffer(
            "start", start, persistent=False
        )  # W0 can be made again, so checkpoints go without
        self._probability = probability

    def forward(self, weight: Tensor) -> Tensor:
        if not self.training:
            return weight
        mask = torch.empty_like(weight, requires_grad=False).bernoulli_(self._probability).bool()
        mixed = torch.where(mask, self.start, weight)
        return (mixed - self._probability * self.start) / (1 - self._probability)


def mixed_layers(network: PreTrainedModel) -> list[nn.Linear]:
    """The Linear layers of the blocks and of the pooler, each once, however often a pass uses
    it.
    """
    encoder = [
        part for part in list_module_groups(network) if part.name.startswith(("block", "pooler"))
    ]
    return [
        module
        for part in encoder
        for path in part.module_paths
        for module in network.get_submodule(path).modules()
        if isinstance(module, nn.Linear)
    ]


def add_mixout(
    network: PreTrainedModel, probability: float, start: Mapping[Tensor, Tensor]
) -> None:
    """Train ``network`` with mixout from now on, and without dropout; ``start`` has W0 of each
    of its ``mixed_layers``.
    """
    switch_off_dropout(network)
    for layer in mixed_layers(network):
        mixout = Mixout(
            start[layer.weight], probability
        ).eval()  # registering calls it, and no mask should be drawn for that
        parametrize.register_parametrization(layer, "weight", mixout)


def remove_mixout(network: PreTrainedModel) -> None:
    """Back to plain Linear layers with the trained weights, under their old names."""
    for module in list(network.modules()):
        if isinstance(module, nn.Linear) and parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)


def switch_off_dropout(network: nn.Module) -> None:
    """Dropout layers, and the attributes by which some families hand a probability to a
    function (ModernBERT's attention).
    """
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)
