"""Gradient norms and clipping per seed; gradients of a stack have the seed as first dimension."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shared.recipe import Recipe
from worker.training.run_diagnostics import GradientMonitor

EPSILON = 1e-6
"""That of torch.nn.utils.clip_grads_with_norm_, so that a stack clips like a single run."""


class StackedGradients:
    """Gradients of a stacked network; it stays valid when seeds leave the stack."""

    def __init__(self, network: PreTrainedModel, recipe: Recipe) -> None:
        self._parameters = list(network.parameters())
        self._monitor = GradientMonitor(network, recipe)
        self._max_norm = recipe.max_grad_norm

    def compute_norms(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return norms of shape (K,): over all parameters, and by group at monitored steps."""
        norm_of_parameter = {
            parameter: torch.linalg.vector_norm(parameter.grad.flatten(1), dim=1)
            for parameter in self._parameters
            if parameter.grad is not None
        }
        group_norms = {}
        if step in self._monitor.steps:
            for name, parameters in self._monitor.module_groups.items():
                norms = [norm_of_parameter[p] for p in parameters if p in norm_of_parameter]
                if norms:
                    group_norms[name] = _combine_norms(norms)
        return _combine_norms(list(norm_of_parameter.values())), group_norms

    @torch.no_grad()
    def clip_gradients(self, norm: Tensor) -> None:
        """Scale each seed's gradient down to the recipe's limit if its ``norm`` (K,) is larger."""
        if self._max_norm <= 0:
            return
        scale = (self._max_norm / (norm + EPSILON)).clamp(max=1.0)
        for parameter in self._parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(scale.view(-1, *[1] * (parameter.grad.dim() - 1)))


def _combine_norms(norms: Sequence[Tensor]) -> Tensor:
    total: Tensor = torch.linalg.vector_norm(torch.stack(list(norms)), dim=0)
    return total
