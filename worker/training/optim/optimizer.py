"""AdamW with and without Adam's bias correction.

With it (``bias_correction: true``) a step is that of ``torch.optim.AdamW``, to the last bit:
    m ← β1 m + (1-β1) g,  v ← β2 v + (1-β2) g²,  m̂ = m/(1-β1^t),  v̂ = v/(1-β2^t),  θ ← θ - α λ θ - α m̂/(√v̂ + ε).
Without it, BERTAdam (Devlin et al. 2019; Zhang et al. 2021, section 4) uses m and v as they
are:
    θ ← θ - α λ θ - α m/(√v + ε).
That needs no second optimiser. Since m/(√v + ε) = r(t) · m̂/(√v̂ + ε/√(1-β2^t)) with r(t) =
(1-β1^t)/√(1-β2^t), AdamW at the rate α·r(t), with ε/√(1-β2^t) and the decay λ/r(t), takes
BERTAdam's step. r(t) is by how much BERTAdam's steps are too large.

α is the group's rate of the step: the schedule's, times the group's share of it under
layer-wise decay. Pre-trained weight decay comes before the step and is decoupled from it, at α
whether or not the bias is corrected.

The update is torch's fused kernel, on CPU and GPU, about seven times faster than torch's loop
on a CPU, where the update of a small encoder would otherwise cost a fifth of the step. It
differs from the loop by rounding alone (about 3e-8). The kernel is called by itself: around it
``torch.optim.AdamW`` counts the steps of each parameter apart, in a hundred small operations, 1
ms or so of each update.
"""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from shared.recipe import Recipe
from worker.training.model.initial_weights import InitialWeights
from worker.training.optim.parameter_groups import ParameterGroup, build_parameter_groups
from worker.training.optim.pretrained_decay import PretrainedDecay

T = TypeVar("T")


class Optimizer:
    """One update a call, at the rate given; the only place that knows whether the bias is
    corrected.
    """

    def __init__(
        self, network: nn.Module, recipe: Recipe, start: InitialWeights | None = None
    ) -> None:
        """``start``: ``copy_initial_weights`` of the network; needed where the recipe has
        pre-trained weight decay.
        """
        self._recipe = recipe
        self._groups = build_parameter_groups(network, recipe)
        self._parameters = [parameter for group in self._groups for parameter in group.parameters]
        self._moments: tuple[list[Tensor], list[Tensor]] = ([], [])
        """m and v of each parameter, in order; none before the first update."""
        self._toward_start = None
        if recipe.pretrained_weight_decay:
            self._toward_start = PretrainedDecay(
                network, self._groups, recipe.pretrained_weight_decay, start or {}
            )
        self._updates = 0
        self._applied_updates = torch.zeros((), device=self._parameters[0].device)
        """The same where the kernel reads it, less those that the device left out."""

    def zero_grad(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(
        self,
        rate: float,
        *,
        found_inf: Tensor | None = None,
        after_update: Callable[[Sequence[Tensor]], None] | None = None,
    ) -> None:
        """Update every parameter that has a gradient; ``rate`` is the schedule's, that of the
        head.

        ``unless``, 0 or 1 on the parameters' device: at 1 nothing is changed, and nobody need
        wait to know. ``then`` is called for a few parameters at a time when they have changed,
        while a CPU has them in its cache.
        """
        if not self._moments[0]:
            self.allocate_moments()
        self._updates += 1
        self._applied_updates += 1 if found_inf is None else 1 - found_inf
        if self._toward_start is not None:
            self._toward_start.step(rate, found_inf)
        of_all = iter(zip(self._parameters, *self._moments, strict=True))
        for group in self._groups:
            settings = adamw_settings(self._recipe, group, rate, self._updates)
            held = [its for its in islice(of_all, len(group.parameters)) if its[0].grad is not None]
            for part in split_into_chunks(held, get_chunk_size(self._applied_updates.device)):
                parameters, first, second = map(list, zip(*part, strict=True))
                self._update_chunk(parameters, first, second, settings, found_inf)
                if after_update is not None:
                    after_update(parameters)

    def _update_chunk(
        self,
        parameters: list[Tensor],
        first: list[Tensor],
        second: list[Tensor],
        settings: dict[str, float],
        found_inf: Tensor | None,
    ) -> None:
        torch._fused_adamw_(
            parameters,
            [parameter.grad for parameter in parameters if parameter.grad is not None],
            first,
            second,
            [],
            [self._applied_updates] * len(parameters),
            beta1=self._recipe.adam_beta1,
            beta2=self._recipe.adam_beta2,
            amsgrad=False,
            maximize=False,
            found_inf=found_inf,
            lr=settings["lr"],
            eps=settings["eps"],
            weight_decay=settings["weight_decay"],
        )

    def allocate_moments(self) -> None:
        """Make the moments now, as the first step would: whether memory suffices for them shows
        before anything is trained.
        """
        self._moments = (
            [torch.zeros_like(parameter) for parameter in self._parameters],
            [torch.zeros_like(parameter) for parameter in self._parameters],
        )

    def state_dict(self) -> dict[str, Any]:
        """All that the next update depends on, beside the network and the recipe: ``exp_avg``
        is m, ``exp_avg_sq`` v.
        """
        return {
            "updates": self._updates,
            "exp_avg": self._moments[0],
            "exp_avg_sq": self._moments[1],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state_dict`` was called, in this process or another.

        Raises ValueError where the number of parameters is another's.
        """
        self._updates = state["updates"]
        self._applied_updates.fill_(self._updates)
        if not state["exp_avg"]:
            self._moments = ([], [])
            return
        self.allocate_moments()
        for mine, theirs in zip(
            self._moments, (state["exp_avg"], state["exp_avg_sq"]), strict=True
        ):
            for moment, its in zip(mine, theirs, strict=True):
                moment.copy_(its)


def adamw_settings(
    recipe: Recipe, group: ParameterGroup, rate: float, update: int
) -> dict[str, float]:
    """``lr``, ``eps`` and ``weight_decay`` of AdamW for one group at one update (from 1), with
    or without the correction.
    """
    excess, epsilon = 1.0, recipe.adam_epsilon
    if not recipe.bias_correction:
        excess = bias_ratio(update, recipe.adam_beta1, recipe.adam_beta2)
        epsilon /= math.sqrt(1 - recipe.adam_beta2**update)
    decay = recipe.weight_decay if group.has_weight_decay else 0.0
    return {"lr": rate * group.rate_scale * excess, "eps": epsilon, "weight_decay": decay / excess}


def bias_ratio(update: int, beta1: float = 0.9, beta2: float = 0.999) -> float:
    """r(t): by what factor update t (from 1) is larger without the correction than with it."""
    return float((1 - beta1**update) / math.sqrt(1 - beta2**update))


def get_chunk_size(device: torch.device) -> int:
    """Of how many parameters one pass is followed by the next: on a CPU their numbers are then
    in its cache, a GPU wants all at once.
    """
    return 4 if device.type == "cpu" else sys.maxsize


def split_into_chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def compute_gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """Euclidean norm of the gradient over all of them, as a tensor: reading it is left to the
    caller.
    """
    return torch.nn.utils.get_total_norm(
        [parameter.grad for parameter in parameters if parameter.grad is not None]
    )


def clip_gradient(parameters: Iterable[Tensor], norm: Tensor, max_norm: float) -> None:
    """Scale the gradient down to ``max_norm`` where its norm is larger; 0 does not clip."""
    if max_norm > 0 and not _is_within_norm(norm, max_norm):
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)


def _is_within_norm(norm: Tensor, max_norm: float) -> bool:
    """Whether torch's factor is 1, which it would multiply all the same: a pass over the
    gradient. Reading it costs nothing on a CPU.
    """
    return norm.device.type == "cpu" and bool(max_norm / (norm + 1e-6) >= 1)
