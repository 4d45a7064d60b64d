"""Pre-trained weight decay (Lee et al. 2020; Zhang et al. 2021, section 7): toward the start
instead of toward zero.

    θ ← θ - α λ (θ - θ0),   before the Adam step, α the rate of the parameter's group at this step.

θ0 is what training began with: the checkpoint, and of re-initialised tensors their draw. The
new head has no past and decays to zero. As with other weight decay, biases and the parameters
of normalisations take none. It is decoupled from Adam: where the recipe has weight decay too,
both apply, this one first.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from worker.training.model.module_groups import list_module_groups
from worker.training.optim.parameter_groups import ParameterGroup


class PretrainedDecay:
    def __init__(
        self,
        network: nn.Module,
        groups: list[ParameterGroup],
        strength: float,
        start: Mapping[Tensor, Tensor],
    ) -> None:
        """``strength`` is λ. ``start`` has θ0 of every decaying parameter outside the head,
        else ValueError.
        """
        assert isinstance(network, PreTrainedModel), (
            "only an encoder of a known family has a head to tell apart"
        )
        head = set(list_module_groups(network)[-1].parameters.values())
        self._strength = strength
        self._groups = [
            (
                group.rate_scale,
                [(parameter, start.get(parameter)) for parameter in group.parameters],
            )
            for group in groups
            if group.has_weight_decay
        ]
        forgotten = [
            parameter
            for _, pairs in self._groups
            for parameter, its in pairs
            if its is None and parameter not in head
        ]
        if forgotten:
            raise ValueError(
                f"{len(forgotten)} parameters of the encoder came without the weights they "
                "began with"
            )

    @torch.no_grad()
    def step(self, rate: float, found_inf: Tensor | None = None) -> None:
        """``rate`` is the schedule's at this step; at an ``unless`` of 1 nothing is changed."""
        for scale, pairs in self._groups:
            share: float | Tensor = rate * scale * self._strength
            if found_inf is not None:
                share = share * (1 - found_inf)
            for parameter, start in pairs:
                if start is None:
                    parameter.mul_(1 - share)
                else:
                    parameter.lerp_(start, share)
