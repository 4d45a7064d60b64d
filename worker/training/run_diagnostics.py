"""What is watched of a run for its diagnosis, at next to no cost.

Gradient norms by part are one more pass over the gradients at a dozen of a run's steps. The
distance from the start needs no copy of the starting weights: the same row gives the same
weights, so at the end they are built once more, compared, and dropped; a run that goes on in
another process loses nothing. It is that of the last step: a run that never learnt anything
keeps its first checkpoint, and how far that is from the start says nothing about the rate.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from pydantic import BaseModel
from torch import Tensor
from transformers import PreTrainedModel

from shared.domain.run_evidence import FLAT, Evidence, Vanished
from shared.domain.task import Label, Task, TaskType
from shared.recipe import Recipe
from worker.training.events import Evaluation, Step
from worker.training.model.module_groups import list_module_groups
from worker.training.optim.objective import count_labels
from worker.training.optim.schedule import list_evaluation_steps

VANISHED_SHARE = 0.01
"""Share of its norm at step 1 below which a gradient counts as gone (in failed runs of Mosbach
et al. it falls by orders of magnitude).
"""
LOSS_WINDOW_STEPS = 5  # steps over which a loss is averaged
TENTH, TWENTIETH = 10, 20


class GradientMonitor:
    """Norms of the gradient by part of the network at steps 1 and 2, at the end of the warm-up,
    and at the evaluations.
    """

    def __init__(self, network: PreTrainedModel, recipe: Recipe) -> None:
        evaluations = list_evaluation_steps(recipe.max_steps, recipe.eval_points)
        self.steps = frozenset({1, 2, recipe.warmup_steps, *evaluations})
        self.module_groups = {
            part.name: list(part.parameters.values()) for part in list_module_groups(network)
        }

    def compute_norms(self, step: int) -> dict[str, Tensor]:
        """By the part's name, of the gradients as they are; empty at a step that is not
        watched. Parts without a gradient are left out. Reading them is left to the caller.
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
    """A run's way so far: to be kept with the state of a run that goes on later."""

    losses: list[float] = []
    """Of every training step."""
    gradients: dict[int, dict[str, float]] = {}
    """Step -> norms by part."""
    validation_losses: dict[int, float] = {}
    """Step -> loss."""

    @property
    def step(self) -> int:
        """How far the run has come."""
        return len(self.losses)

    def record_event(self, event: Step | Evaluation) -> None:
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
) -> Evidence:
    """Sum a finished run up. ``answers`` as ``compute_answer_shares`` counts them,
    ``truncated`` the share of the training rows.
    """
    losses, points = history.losses, list_evaluation_steps(recipe.max_steps, recipe.eval_points)
    validation = {step: loss for step, loss in history.validation_losses.items() if step in points}
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
    )


def _compute_mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _find_highest_loss(losses: Sequence[float], warmup_steps: int) -> tuple[float, int]:
    """Highest mean over a window of a twentieth of the steps after the warm-up, and the
    window's last step.
    """
    width = max(1, math.ceil(len(losses) / TWENTIETH))
    ends = range(min(warmup_steps + width, len(losses)), len(losses) + 1)
    return max((_compute_mean(losses[max(0, end - width) : end]), end) for end in ends)


def _find_vanished_gradient(history: History, chance_loss: float) -> Vanished | None:
    """The first watched step at which the lower half of the blocks has all but no gradient
    while the loss is still at chance.

    That the gradient is small once the loss is, is how training ends well.
    """
    lower = {step: _compute_lower_norm(norms) for step, norms in history.gradients.items()}
    first = lower.get(1)
    if not first:
        return None
    for step in sorted(lower):
        at_chance = (
            _compute_mean(history.losses[max(0, step - LOSS_WINDOW_STEPS) : step])
            > (1 - FLAT) * chance_loss
        )
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
    """‖θ - θ0‖ / ‖θ0‖ by part; ``start`` is the same network before its training. A part that
    began at 0 is left out.

    ``whole`` has the parameters that ``network`` has but a part of, by name.
    """
    found = {}
    for before, after in zip(list_module_groups(start), list_module_groups(network), strict=True):
        trained = {**after.parameters, **(full_parameters or {})}
        pairs = [(theta0, trained[name]) for name, theta0 in before.parameters.items()]
        norm = math.hypot(*(theta0.norm().item() for theta0, _ in pairs))
        if norm > 0:
            found[before.name] = (
                math.hypot(*((theta - theta0).norm().item() for theta0, theta in pairs)) / norm
            )
    return found


def compute_answer_shares(predictions: Sequence[Label], task: Task) -> dict[str, float] | None:
    """By label name, the share of rows answered with it, or with it among others; None for a
    regression.
    """
    if task.type is TaskType.REGRESSION:
        return None
    count = count_labels(predictions)
    return {name: count[index] / len(predictions) for index, name in enumerate(task.label_names)}
