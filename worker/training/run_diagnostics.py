"""Measurements of a run for its diagnosis, at next to no cost.

Gradient norms by module group are one more pass over the gradients, at about a dozen steps of a
run. The distance from the start needs no copy of the initial weights: they are a function of the
spec, so they are built again at the end, compared, and dropped, even if the run was resumed in
another process. The distance is that of the last step: a run that never learns keeps its first
checkpoint, whose distance from the start says nothing about the learning rate.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from pydantic import BaseModel
from torch import Tensor
from transformers import PreTrainedModel

from shared.domain.run_evidence import MIN_LOSS_DROP, Evidence, HeadFit, Vanished
from shared.domain.task import Label, Task, TaskType
from shared.recipe import Recipe
from worker.training.events import Evaluation, Step
from worker.training.model.module_groups import list_module_groups
from worker.training.optim.objective import count_labels

VANISHED_SHARE = 0.01
"""Share of its norm at step 1 below which a gradient counts as vanished.

In the failed runs of Mosbach et al. it falls by orders of magnitude.
"""
LOSS_WINDOW_STEPS = 5
"""Steps over which the loss is averaged to compare it with chance."""
TENTH, TWENTIETH = 10, 20


class GradientMonitor:
    """Gradient norms by module group at steps 1 and 2, the end of the warm-up and evaluations."""

    def __init__(self, network: PreTrainedModel, recipe: Recipe) -> None:
        self.steps = frozenset({1, 2, recipe.warmup_steps, *recipe.checkpoint_steps})
        self.module_groups = {
            group.name: list(group.parameters.values()) for group in list_module_groups(network)
        }

    def compute_norms(self, step: int) -> dict[str, Tensor]:
        """Return the norms of the current gradients by group name; empty at other steps.

        Groups without a gradient are omitted. The norms stay on their device.
        """
        if step not in self.steps:
            return {}
        gradients = {
            name: [parameter.grad for parameter in parameters if parameter.grad is not None]
            for name, parameters in self.module_groups.items()
        }
        return {
            name: torch.nn.utils.get_total_norm(tensors)
            for name, tensors in gradients.items()
            if tensors
        }


class History(BaseModel):
    """The metrics of a run so far; part of its resume state."""

    losses: list[float] = []
    """Loss of every training step."""
    gradients: dict[int, dict[str, float]] = {}
    """Gradient norms by module group, by monitored step."""
    validation_losses: dict[int, float] = {}
    """Validation loss by step."""

    @property
    def step(self) -> int:
        """Number of completed steps."""
        return len(self.losses)

    def record_event(self, event: Step | Evaluation) -> None:
        """Append the numbers of an event."""
        if isinstance(event, Evaluation):
            self.validation_losses[event.step] = event.valid_loss
            return
        self.losses.append(event.train_loss)
        if event.part_grad_norms:
            self.gradients[event.step] = event.part_grad_norms


def build_evidence(
    history: History,
    recipe: Recipe,
    chance_loss: float,
    distance: dict[str, float],
    answer_shares: dict[str, float] | None,
    truncated_share: float,
    head_fit: HeadFit | None = None,
) -> Evidence:
    """Summarize a finished run.

    ``answer_shares`` come from ``compute_answer_shares``; ``truncated_share`` is that of the
    training rows.
    """
    losses = history.losses
    steps = recipe.checkpoint_steps
    # without the extra evaluations at pauses
    validation = {step: loss for step, loss in history.validation_losses.items() if step in steps}
    tenth = max(1, math.ceil(len(losses) / TENTH))
    highest, highest_step = _find_highest_loss(losses, recipe.warmup_steps)
    lowest_step = min(validation, key=validation.__getitem__)
    return Evidence(
        chance_loss=chance_loss,
        opening_loss=_compute_mean(losses[:tenth]),
        closing_loss=_compute_mean(losses[-tenth:]),
        highest_loss=highest,
        highest_loss_step=highest_step,
        lowest_validation_loss=validation[lowest_step],
        lowest_validation_step=lowest_step,
        final_validation_loss=validation[max(validation)],
        vanished=_find_vanished_gradient(history, chance_loss),
        distance=distance,
        answers=answer_shares,
        truncated=truncated_share,
        head_fit=head_fit,
    )


def _compute_mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _find_highest_loss(losses: Sequence[float], warmup_steps: int) -> tuple[float, int]:
    """Return the highest mean loss over a window after the warm-up, and the window's last step.

    The window is a twentieth of the steps.
    """
    width = max(1, math.ceil(len(losses) / TWENTIETH))
    ends = range(min(warmup_steps + width, len(losses)), len(losses) + 1)
    return max((_compute_mean(losses[max(0, end - width) : end]), end) for end in ends)


def _find_vanished_gradient(history: History, chance_loss: float) -> Vanished | None:
    """Return the first monitored step at which the gradient of the lower blocks vanished.

    The lower blocks are the lower half. The loss must still be at chance: a small gradient with a
    small loss is how training ends well.
    """
    lower = {step: _compute_lower_norm(norms) for step, norms in history.gradients.items()}
    first = lower.get(1)
    if not first:
        return None
    for step in sorted(lower):
        recent_loss = _compute_mean(history.losses[max(0, step - LOSS_WINDOW_STEPS) : step])
        at_chance = recent_loss > (1 - MIN_LOSS_DROP) * chance_loss
        if lower[step] < VANISHED_SHARE * first and at_chance:
            return Vanished(step=step, norm=lower[step], first=first)
    return None


def _compute_lower_norm(norms: dict[str, float]) -> float:
    blocks = [norm for name, norm in norms.items() if name.startswith("block")]
    return math.hypot(*blocks[: max(1, len(blocks) // 2)])


@torch.no_grad()
def compute_distances(
    start: PreTrainedModel,
    network: PreTrainedModel,
    full_parameters: Mapping[str, Tensor] | None = None,
) -> dict[str, float]:
    """Return ‖θ - θ0‖ / ‖θ0‖ by module group; ``start`` is the network before training.

    Groups that start at 0 are omitted. ``full_parameters`` replaces parameters of ``network`` by
    name, such as a table that was cut.
    """
    distances = {}
    for before, after in zip(list_module_groups(start), list_module_groups(network), strict=True):
        trained = {**after.parameters, **(full_parameters or {})}
        pairs = [(theta0, trained[name]) for name, theta0 in before.parameters.items()]
        norm = math.hypot(*(theta0.norm().item() for theta0, _ in pairs))
        if norm > 0:
            change = math.hypot(*((theta - theta0).norm().item() for theta0, theta in pairs))
            distances[before.name] = change / norm
    return distances


def compute_answer_shares(predictions: Sequence[Label], task: Task) -> dict[str, float] | None:
    """Return the share of rows predicted to have each label, by name; None for regression."""
    if task.type is TaskType.REGRESSION:
        return None
    counts = count_labels(predictions)
    return {name: counts[index] / len(predictions) for index, name in enumerate(task.label_names)}
