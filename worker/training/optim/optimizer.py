"""AdamW with and without Adam's bias correction.

With it (``bias_correction: true``) a step is that of ``torch.optim.AdamW``, to the last bit:
    m ← β1 m + (1-β1) g,  v ← β2 v + (1-β2) g²,  m̂ = m/(1-β1^t),  v̂ = v/(1-β2^t),
    θ ← θ - α λ θ - α m̂/(√v̂ + ε).
Without it, BERTAdam (Devlin et al. 2019; Zhang et al. 2021, section 4) uses m and v as they are:
    θ ← θ - α λ θ - α m/(√v + ε).
That needs no second optimizer. Since m/(√v + ε) = r(t) · m̂/(√v̂ + ε/√(1-β2^t)) with
r(t) = (1-β1^t)/√(1-β2^t), AdamW at the rate α·r(t), with ε/√(1-β2^t) and the decay λ/r(t), takes
BERTAdam's step. r(t) is the factor by which BERTAdam's steps are too large.

α is the group's rate at the step: the schedule's rate times the group's scale under layer-wise
decay. Pre-trained weight decay comes before the step and is decoupled from it, at α whether or not
the bias is corrected.

The update is torch's fused kernel, on CPU and GPU. On a CPU it is about seven times faster than
torch's loop, whose update of a small encoder would cost a fifth of the step. It differs from the
loop only by rounding (about 3e-8). The kernel is called directly: ``torch.optim.AdamW`` counts the
steps of each parameter separately, in a hundred small operations, about 1 ms per update.
"""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypedDict, TypeVar

import torch
from torch import Tensor, nn

from shared.recipe import Recipe
from worker.training.model.initial_weights import InitialWeights
from worker.training.optim.parameter_groups import ParameterGroup, build_parameter_groups
from worker.training.optim.pretrained_decay import PretrainedDecay

T = TypeVar("T")


class OptimizerState(TypedDict):
    """State of the optimizer, as saved with a paused run."""

    updates: int
    exp_avg: list[Tensor]
    """m of each parameter; empty before the first update."""
    exp_avg_sq: list[Tensor]
    """v of each parameter; empty before the first update."""


class AdamWSettings(NamedTuple):
    """Settings of AdamW for one group at one update."""

    learning_rate: float
    epsilon: float
    weight_decay: float


class _Chunk(NamedTuple):
    """Parameters that are updated together: all with a gradient, all of one group."""

    parameters: list[Tensor]
    first_moments: list[Tensor]
    second_moments: list[Tensor]
    settings: AdamWSettings


class Optimizer:
    """AdamW over the parameter groups of a network, with or without the bias correction."""

    def __init__(
        self, network: nn.Module, recipe: Recipe, start: InitialWeights | None = None
    ) -> None:
        """Group the parameters.

        Pre-trained weight decay needs ``start`` (``copy_initial_weights``).
        """
        self._recipe = recipe
        self._groups = build_parameter_groups(network, recipe)
        self._parameters = [parameter for group in self._groups for parameter in group.parameters]
        self._moments: tuple[list[Tensor], list[Tensor]] = ([], [])
        """m and v of each parameter, in order; empty before the first update."""
        self._toward_start = None
        if recipe.pretrained_weight_decay:
            self._toward_start = PretrainedDecay(
                network, self._groups, recipe.pretrained_weight_decay, start or {}
            )
        self._updates = 0
        """Updates made so far, including those skipped on the device."""
        self._applied_updates = torch.zeros((), device=self._parameters[0].device)
        """Updates actually applied; on the device, where the kernel reads it."""

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
        """Update every parameter that has a gradient, at the schedule's ``rate``.

        ``found_inf`` is 0 or 1, on the parameters' device. With 1 the update is skipped there, so
        the host need not wait for the value. ``after_update`` is called with each chunk of
        updated parameters, while they are still in a CPU's cache.
        """
        if not self._moments[0]:
            self.allocate_moments()
        self._updates += 1
        self._applied_updates += 1 if found_inf is None else 1 - found_inf
        if self._toward_start is not None:
            self._toward_start.step(rate, found_inf)
        for chunk in self._iterate_chunks(rate):
            self._update_chunk(chunk, found_inf)
            if after_update is not None:
                after_update(chunk.parameters)

    def _iterate_chunks(self, rate: float) -> Iterator[_Chunk]:
        chunk_size = get_chunk_size(self._applied_updates.device)
        entries = iter(zip(self._parameters, *self._moments, strict=True))
        for group in self._groups:
            settings = compute_adamw_settings(self._recipe, group, rate, self._updates)
            with_gradient = [
                entry
                for entry in islice(entries, len(group.parameters))
                if entry[0].grad is not None
            ]
            for chunk in split_into_chunks(with_gradient, chunk_size):
                parameters, first, second = map(list, zip(*chunk, strict=True))
                yield _Chunk(parameters, first, second, settings)

    def _update_chunk(self, chunk: _Chunk, found_inf: Tensor | None) -> None:
        settings = chunk.settings
        torch._fused_adamw_(
            chunk.parameters,
            [parameter.grad for parameter in chunk.parameters if parameter.grad is not None],
            chunk.first_moments,
            chunk.second_moments,
            [],
            [self._applied_updates] * len(chunk.parameters),
            beta1=self._recipe.adam_beta1,
            beta2=self._recipe.adam_beta2,
            amsgrad=False,
            maximize=False,
            found_inf=found_inf,
            lr=settings.learning_rate,
            eps=settings.epsilon,
            weight_decay=settings.weight_decay,
        )

    def allocate_moments(self) -> None:
        """Allocate the moments early, so that a lack of memory shows before training."""
        self._moments = (
            [torch.zeros_like(parameter) for parameter in self._parameters],
            [torch.zeros_like(parameter) for parameter in self._parameters],
        )

    def state_dict(self) -> OptimizerState:
        """Return what the next update depends on, besides the network and the recipe."""
        return {
            "updates": self._updates,
            "exp_avg": self._moments[0],
            "exp_avg_sq": self._moments[1],
        }

    def load_state_dict(self, state: OptimizerState) -> None:
        """Continue from a ``state_dict``, of this process or another.

        Raise ValueError if the number of parameters differs.
        """
        self._updates = state["updates"]
        self._applied_updates.fill_(self._updates)
        if not state["exp_avg"]:
            self._moments = ([], [])
            return
        self.allocate_moments()
        for moments, saved_moments in zip(
            self._moments, (state["exp_avg"], state["exp_avg_sq"]), strict=True
        ):
            for moment, saved in zip(moments, saved_moments, strict=True):
                moment.copy_(saved)


def compute_adamw_settings(
    recipe: Recipe, group: ParameterGroup, rate: float, update: int
) -> AdamWSettings:
    """Return AdamW's settings for one group at one update (from 1), corrected or not."""
    excess, epsilon = 1.0, recipe.adam_epsilon
    if not recipe.bias_correction:
        excess = compute_bias_ratio(update, recipe.adam_beta1, recipe.adam_beta2)
        epsilon /= math.sqrt(1 - recipe.adam_beta2**update)
    decay = recipe.weight_decay if group.has_weight_decay else 0.0
    return AdamWSettings(rate * group.rate_scale * excess, epsilon, decay / excess)


def compute_bias_ratio(update: int, beta1: float = 0.9, beta2: float = 0.999) -> float:
    """Return r(t): the ratio of update t (from 1) without the correction to that with it."""
    return float((1 - beta1**update) / math.sqrt(1 - beta2**update))


def get_chunk_size(device: torch.device) -> int:
    """Return how many parameters to process at once: 4 on a CPU, to stay in its cache, else all."""
    return 4 if device.type == "cpu" else sys.maxsize


def split_into_chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def compute_gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """Return the Euclidean norm of the whole gradient, without waiting for the device."""
    return torch.nn.utils.get_total_norm(
        [parameter.grad for parameter in parameters if parameter.grad is not None]
    )


def clip_gradient(parameters: Iterable[Tensor], norm: Tensor, max_norm: float) -> None:
    """Scale the gradient down to ``max_norm`` if its norm is larger; 0 disables clipping."""
    if max_norm > 0 and not _is_within_norm(norm, max_norm):
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)


def _is_within_norm(norm: Tensor, max_norm: float) -> bool:
    """Return whether torch would multiply by 1, which would cost a pass over the gradient.

    Always False on a GPU, where reading the norm would wait for the device.
    """
    return norm.device.type == "cpu" and bool(max_norm / (norm + 1e-6) >= 1)
