"""Pre-trained weight decay (Lee et al. 2020; Zhang et al. 2021, section 7): decay toward the start.

    θ ← θ - α λ (θ - θ0),   before the Adam step, α the rate of the parameter's group at this step.

θ0 is the value at the start of training: the checkpoint's, or the draw of a re-initialized tensor.
The new head has no pre-trained value and decays to zero. As with other weight decay, biases and
the parameters of normalizations are skipped. The decay is decoupled from Adam: if the recipe has
weight decay as well, both apply, this one first.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from worker.training.model.module_groups import list_module_groups
from worker.training.optim.parameter_groups import ParameterGroup


class PretrainedDecay:
    """Decay step over the parameters of the groups that have weight decay."""

    def __init__(
        self,
        network: nn.Module,
        groups: list[ParameterGroup],
        strength: float,
        start: Mapping[Tensor, Tensor],
    ) -> None:
        """Collect the pairs of θ and θ0; ``strength`` is λ.

        Raise ValueError if ``start`` lacks θ0 of a decayed parameter outside the head.
        """
        assert isinstance(network, PreTrainedModel), (
            "pre-trained decay needs a known encoder family"
        )
        self._strength = strength
        self._groups = [
            (group.rate_scale, [(theta, start.get(theta)) for theta in group.parameters])
            for group in groups
            if group.has_weight_decay
        ]
        self._check_initial_weights(network)

    def _check_initial_weights(self, network: PreTrainedModel) -> None:
        head = set(list_module_groups(network)[-1].parameters.values())
        missing = [
            parameter
            for _, pairs in self._groups
            for parameter, initial in pairs
            if initial is None and parameter not in head
        ]
        if missing:
            raise ValueError(
                f"{len(missing)} parameters of the encoder have no initial weights to decay toward"
            )

    @torch.no_grad()
    def step(self, rate: float, found_inf: Tensor | None = None) -> None:
        """Decay at the schedule's ``rate``; a ``found_inf`` of 1 changes nothing."""
        for scale, pairs in self._groups:
            share: float | Tensor = rate * scale * self._strength
            if found_inf is not None:
                share = share * (1 - found_inf)
            for parameter, start in pairs:
                if start is None:
                    parameter.mul_(1 - share)
                else:
                    parameter.lerp_(start, share)
