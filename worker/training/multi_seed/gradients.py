"""Each seed's gradient norm, and clipping by it. Gradients of a stack have the seed as their
first dimension.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shared.recipe import Recipe
from worker.training.run_diagnostics import GradientMonitor

EPSILON = (
    1e-6  # of torch.nn.utils.clip_grads_with_norm_, so that a stack clips as a single run does
)


class StackedGradients:
    """The gradients of a network's parameters; it stays valid when seeds leave."""

    def __init__(self, network: PreTrainedModel, recipe: Recipe) -> None:
        self._parameters = list(network.parameters())
        self._monitor = GradientMonitor(network, recipe)
        self._max_norm = recipe.max_grad_norm

    def compute_norms(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Of shape (K,): over all parameters, and of each part of the network at the steps that
        are watched.
        """
        of_parameter = {
            parameter: torch.linalg.vector_norm(parameter.grad.flatten(1), dim=1)
            for parameter in self._parameters
            if parameter.grad is not None
        }
        by_part = {}
        if step in self._monitor.steps:
            used = {
                name: [
                    of_parameter[parameter] for parameter in parameters if parameter in of_parameter
                ]
                for name, parameters in self._monitor.module_groups.items()
            }
            by_part = {name: _combine_norms(norms) for name, norms in used.items() if norms}
        return _combine_norms(list(of_parameter.values())), by_part

    @torch.no_grad()
    def clip_gradients(self, norm: Tensor) -> None:
        """Scale each seed's gradient down to the recipe's norm where its own (K,) is larger."""
        if self._max_norm <= 0:
            return
        scale = (self._max_norm / (norm + EPSILON)).clamp(max=1.0)
        for parameter in self._parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(scale.view(-1, *[1] * (parameter.grad.dim() - 1)))


def _combine_norms(norms: Sequence[Tensor]) -> Tensor:
    total: Tensor = torch.linalg.vector_norm(torch.stack(list(norms)), dim=0)
    return total
