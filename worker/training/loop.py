"""The training loop, told once and in order: rate, forward, backward, check, clip, update, say
what happened.
"""

from collections.abc import Callable, Iterator
from itertools import islice

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shared.recipe import Recipe
from worker.training.async_metrics import StepMetricsQueue
from worker.training.data.tokenization import Batch
from worker.training.evaluation import EvaluationResult
from worker.training.events import Evaluation, Step
from worker.training.model.checkpoint import BestCheckpoint
from worker.training.model.forward import Forward
from worker.training.model.precision import ComputeWeights
from worker.training.optim.optimizer import Optimizer, clip_gradient
from worker.training.optim.schedule import create_linear_schedule, list_evaluation_steps
from worker.training.run_diagnostics import GradientMonitor
from worker.training.seeding import seed_dropout


def train(
    network: PreTrainedModel,
    weights: ComputeWeights,
    forward: Forward,
    batches: Iterator[Batch],
    recipe: Recipe,
    *,
    data_seed: int,
    objective: Callable[[Tensor, Tensor], Tensor],
    evaluate: Callable[[], EvaluationResult],
    best: BestCheckpoint,
    optimizer: Optimizer,
    completed_steps: int = 0,
    stop_step: int | None = None,
    should_pause: Callable[[], bool] = lambda: False,
    read_delay: int = 0,
) -> Iterator[Step | Evaluation]:
    """Train for ``recipe.max_steps`` steps, evaluating at the recipe's points; ``best`` ends up
    with the chosen weights.

    After ``stop_step``, and after a step at which ``asked_to_wait``, there is an evaluation,
    and no further step; between two of the recipe's points it judges the run and chooses
    nothing, as a run that never stops has none there. A run that goes on brings the steps
    ``done``, and ``batches`` begin after these.

    ``objective`` makes the loss, a scalar, of a batch's logits and labels (``objective.py``).
    ``batches`` has no end; whoever wants to stop raises from it. Raises Diverged, and no step
    that is not finite changes the weights; with a ``delay``, the host reads a step's numbers
    that many steps later (``readings.py``) and before every evaluation, and it is the device
    that leaves the weights alone.
    """
    last = min(stop_step or recipe.max_steps, recipe.max_steps)
    schedule = create_linear_schedule(recipe.learning_rate, recipe.warmup_ratio, recipe.max_steps)
    points = set(list_evaluation_steps(recipe.max_steps, recipe.eval_points))
    parameters = list(network.parameters())
    watch, readings = GradientMonitor(network, recipe), StepMetricsQueue(read_delay)
    forward.train()
    for step, batch in enumerate(
        islice(batches, last - completed_steps), start=completed_steps + 1
    ):
        rate = schedule.compute_rate(step)
        seed_dropout(data_seed, step)
        optimizer.zero_grad()
        loss = objective(forward(batch), batch.labels)
        loss.backward()
        norm = weights.transfer_and_measure_gradients()
        readings.send_metrics(step, rate, loss, norm, watch.compute_norms(step))
        told = list(
            readings.take_due_steps()
        )  # without delay this very step, before it changes anything
        clip_gradient(parameters, norm, recipe.max_grad_norm)
        optimizer.step(
            rate,
            found_inf=_flag_non_finite(loss, norm) if read_delay else None,
            after_update=weights.refresh_replica,
        )
        yield from told
        waits = step == last or should_pause()
        if step in points or waits:
            yield from readings.take_remaining_steps()
            found = evaluate()
            forward.train()
            yield build_evaluation_event(
                step, found, is_best=step in points and best.offer_weights(step, found, network)
            )
        if waits:
            return


def _flag_non_finite(loss: Tensor, norm: Tensor) -> Tensor:
    """On their device: 1 if one of them is no finite number, else 0."""
    return torch.stack([loss.detach(), norm]).isfinite().all().logical_not().float()


def build_evaluation_event(step: int, evaluation: EvaluationResult, *, is_best: bool) -> Evaluation:
    result = evaluation.result
    return Evaluation(
        step=step,
        valid_loss=result.loss,
        metrics=result.metrics,
        score=result.score,
        is_best=is_best,
    )
