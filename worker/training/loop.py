"""The training loop: rate, forward, backward, check, clip, update, report."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shared.recipe import Recipe
from shared.recipe.schedule import create_linear_schedule
from worker.training.async_metrics import StepMetricsQueue
from worker.training.data.tokenization import Batch
from worker.training.evaluation import EvaluationResult
from worker.training.events import Evaluation, Step
from worker.training.model.checkpoint import BestCheckpoint
from worker.training.model.forward import Forward
from worker.training.model.precision import ComputeWeights
from worker.training.optim.objective import Objective
from worker.training.optim.optimizer import Optimizer, clip_gradient
from worker.training.run_diagnostics import GradientMonitor
from worker.training.seeding import seed_dropout


@dataclass(frozen=True)
class TrainingSetup:
    """A network and everything that its training steps read or change."""

    network: PreTrainedModel
    compute_weights: ComputeWeights
    forward: Forward
    objective: Objective
    optimizer: Optimizer
    best: BestCheckpoint


@dataclass(frozen=True)
class TrainingPlan:
    """Which steps to train, and at which of them to stop or read metrics."""

    recipe: Recipe
    data_seed: int
    completed_steps: int = 0
    """Steps made before a pause; the batches start after them."""
    stop_step: int | None = None
    """Step to evaluate and pause after."""
    read_delay: int = 0
    """Steps between computing a step's metrics and reading them on the host."""

    @property
    def last_step(self) -> int:
        """The step after which the loop returns."""
        return min(self.stop_step or self.recipe.max_steps, self.recipe.max_steps)


def train(
    setup: TrainingSetup,
    plan: TrainingPlan,
    batches: Iterator[Batch],
    evaluate: Callable[[], EvaluationResult],
    should_pause: Callable[[], bool] = lambda: False,
) -> Iterator[Step | Evaluation]:
    """Train to the plan's last step and evaluate at the recipe's evaluation steps.

    Afterwards ``setup.best`` has the chosen weights. ``batches`` is endless; to stop the run,
    raise from it. If ``should_pause`` is true after a step, the loop evaluates and returns, as
    after ``stop_step``. That evaluation reports a score but chooses a checkpoint only at one of
    the recipe's steps, so a run that paused ends like one that did not.

    Raise TrainingDiverged if a loss or gradient is not finite; such a step changes no weights.
    With a ``read_delay`` the host notices that later, at the latest before the next evaluation,
    and the device skips the update.
    """
    trainer = _StepTrainer(setup, plan)
    setup.forward.train()
    for step, batch in enumerate(
        islice(batches, plan.last_step - plan.completed_steps), start=plan.completed_steps + 1
    ):
        yield from trainer.train_step(step, batch)
        pauses = step == plan.last_step or should_pause()
        if step in trainer.evaluation_steps or pauses:
            yield from trainer.evaluate_weights(step, evaluate)
        if pauses:
            return


class _StepTrainer:
    """Training and evaluation at single steps, with the queue of their metrics."""

    def __init__(self, setup: TrainingSetup, plan: TrainingPlan) -> None:
        recipe = plan.recipe
        self._setup, self._plan = setup, plan
        self._schedule = create_linear_schedule(
            recipe.learning_rate, recipe.warmup_ratio, recipe.max_steps
        )
        self._parameters = list(setup.network.parameters())
        self._gradient_monitor = GradientMonitor(setup.network, recipe)
        self._metrics = StepMetricsQueue(plan.read_delay)
        self.evaluation_steps = set(recipe.checkpoint_steps)
        """Steps at which the recipe evaluates and may choose a checkpoint."""

    def train_step(self, step: int, batch: Batch) -> list[Step]:
        """Make one step and return the steps that are due to be reported."""
        setup, recipe = self._setup, self._plan.recipe
        rate = self._schedule.compute_rate(step)
        seed_dropout(self._plan.data_seed, step)
        setup.optimizer.zero_grad()
        loss = setup.objective(setup.forward(batch), batch.labels)
        loss.backward()
        norm = setup.compute_weights.transfer_and_measure_gradients()
        group_norms = self._gradient_monitor.compute_norms(step)
        self._metrics.send_metrics(step, rate, loss, norm, group_norms)
        # read before the update: without delay this is the step itself, which may have diverged
        due_steps = list(self._metrics.take_due_steps())
        clip_gradient(self._parameters, norm, recipe.max_grad_norm)
        setup.optimizer.step(
            rate,
            found_inf=_flag_non_finite(loss, norm) if self._plan.read_delay else None,
            after_update=setup.compute_weights.refresh_replica,
        )
        return due_steps

    def evaluate_weights(
        self, step: int, evaluate: Callable[[], EvaluationResult]
    ) -> Iterator[Step | Evaluation]:
        """Report the steps that are still unread, then evaluate the current weights."""
        yield from self._metrics.take_remaining_steps()
        evaluation = evaluate()
        self._setup.forward.train()
        is_best = step in self.evaluation_steps and self._setup.best.offer_weights(
            step, evaluation, self._setup.network
        )
        yield build_evaluation_event(step, evaluation, is_best=is_best)


def _flag_non_finite(loss: Tensor, norm: Tensor) -> Tensor:
    """Return 1 on the device if the loss or the norm is not finite, else 0."""
    return torch.stack([loss.detach(), norm]).isfinite().all().logical_not().float()


def build_evaluation_event(step: int, evaluation: EvaluationResult, *, is_best: bool) -> Evaluation:
    """Build the event of an evaluation after ``step``."""
    result = evaluation.result
    return Evaluation(
        step=step,
        valid_loss=result.loss,
        metrics=result.metrics,
        score=result.score,
        is_best=is_best,
    )
