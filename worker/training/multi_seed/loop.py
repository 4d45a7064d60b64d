"""The training loop of a stack: one step for all seeds, then the events of each.

It is the single run's loop (``worker.training.loop``) with three additions between steps: a seed
that was stopped, or whose loss or gradient is not finite, leaves the stack; if memory runs out,
half of the seeds are deferred; and the remaining seeds repeat whatever either of these interrupted.
"""

import gc
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TypeVar

import torch

from shared.metrics import Scoring
from shared.recipe.schedule import create_linear_schedule
from worker.training.errors import StopRequested, TrainingDiverged
from worker.training.evaluation import EvaluationResult
from worker.training.events import RunEvent, Step
from worker.training.loop import build_evaluation_event
from worker.training.multi_seed.async_metrics import StackMetricsQueue, StackStepMetrics
from worker.training.multi_seed.evaluation import evaluate_stack
from worker.training.multi_seed.gradients import StackedGradients
from worker.training.multi_seed.seed import SeedRun
from worker.training.multi_seed.stack import SeedStack
from worker.training.optim.objective import build_training_objective
from worker.training.seeding import seed_dropout_of_stack

TaggedEvent = tuple[str, RunEvent | Exception]
"""A run's id and its event, or the exception that ended it."""
T = TypeVar("T")


class SeedsStopped(Exception):
    """Runs that were stopped, whose seeds must leave the stack before it continues."""

    def __init__(self, seeds: Sequence[SeedRun]) -> None:
        self.seeds = seeds


class StackLoop:
    """Training of a stack to the recipe's end or its runs' ``stop_step``."""

    def __init__(
        self, stack: SeedStack, is_stopped: Callable[[str], bool], deferred: list[SeedRun]
    ) -> None:
        """Prepare the loop; ``deferred`` receives seeds that do not fit into memory."""
        spec = stack.seeds[0].spec
        self._stack, self._is_stopped = stack, is_stopped
        self._scoring = Scoring(spec.task, spec.metric)
        recipe = spec.recipe
        self._schedule = create_linear_schedule(
            recipe.learning_rate, recipe.warmup_ratio, recipe.max_steps
        )
        self._evaluation_steps = set(recipe.checkpoint_steps)
        self._last_step = min(spec.stop_step or recipe.max_steps, recipe.max_steps)
        self._objective = build_training_objective(
            spec.task, recipe.class_weights, stack.splits.train.list_labels(), stack.forward.device
        )
        self._gradients = StackedGradients(stack.network, recipe)
        self._metrics = StackMetricsQueue(stack.forward.device)
        self._deferred = deferred

    def run(self) -> Iterator[TaggedEvent]:
        """Train the remaining seeds to the last step; the others have ended or are deferred."""
        stack = self._stack
        while stack.seeds:
            step = stack.step
            if step in self._evaluation_steps or step == self._last_step:
                yield from self._report_metrics(self._metrics.take_remaining_steps())
                yield from self._evaluate_seeds(step)
            if step >= self._last_step:
                return
            stack.forward.train()
            yield from self._run_with_retry(partial(self._train_step, stack.step + 1))
            yield from self._report_metrics(self._metrics.take_due_steps())
        yield from self._report_metrics(self._metrics.take_remaining_steps())

    def _train_step(self, step: int) -> None:
        """Make one step; until its gradients are computed it can be interrupted and repeated."""
        stack = self._stack
        self._check_stop()
        rate = self._schedule.compute_rate(step)
        seed_dropout_of_stack([seed.spec.data_seed for seed in stack.seeds], step)
        stack.optimizer.zero_grad()
        batch = stack.forward.build_batch(
            stack.splits.train.text, [seed.get_rows(step) for seed in stack.seeds]
        )
        losses = torch.func.vmap(self._objective)(stack.forward(batch), batch.labels)
        # seeds share no parameter, so each gets the gradient of its own loss
        losses.sum().backward()
        stack.compute_weights.transfer_gradients()
        norms, group_norms = self._gradients.compute_norms(step)
        self._gradients.clip_gradients(norms)
        self._metrics.send_metrics(step, rate, stack.seeds, losses, norms, group_norms)
        stack.optimizer.step(rate)
        stack.compute_weights.refresh_replica()
        stack.step = step

    def _evaluate_seeds(self, step: int) -> Iterator[TaggedEvent]:
        """Evaluate the seeds not yet evaluated at this step; resumed ones already were."""
        due = [seed for seed in self._stack.seeds if seed.last_evaluated_step < step]
        if not due:
            return
        evaluations = yield from self._run_with_retry(self._evaluate_stack)
        for seed, evaluation in (evaluations or {}).items():
            if seed not in self._stack.seeds or seed not in due:
                continue
            if isinstance(evaluation, TrainingDiverged):
                yield from self._remove_seeds([seed], evaluation)
            else:
                yield from self._report_evaluation(step, seed, evaluation)

    def _report_evaluation(
        self, step: int, seed: SeedRun, evaluation: EvaluationResult
    ) -> Iterator[TaggedEvent]:
        seed.latest_evaluation = evaluation
        is_best = yield from self._run_with_retry(
            partial(self._offer_weights, step, seed, evaluation)
        )
        if is_best is not None:
            event = build_evaluation_event(step, evaluation, is_best=is_best)
            yield seed.run_id, seed.record_event(event)

    def _evaluate_stack(self) -> dict[SeedRun, EvaluationResult | TrainingDiverged]:
        stack = self._stack
        evaluations = evaluate_stack(
            stack.forward,
            len(stack.seeds),
            stack.splits.validation,
            self._scoring,
            self._check_stop,
        )
        return dict(zip(stack.seeds, evaluations, strict=True))

    def _offer_weights(self, step: int, seed: SeedRun, evaluation: EvaluationResult) -> bool | None:
        """Return whether the weights are the seed's best; None if the seed was deferred."""
        if seed not in self._stack.seeds:
            return None
        return step in self._evaluation_steps and seed.best.offer_weights(
            step, evaluation, self._stack.get_seed_view(seed)
        )

    def _report_metrics(self, steps: Iterator[StackStepMetrics]) -> Iterator[TaggedEvent]:
        for metrics in steps:
            yield from self._report_step(metrics)

    def _report_step(self, metrics: StackStepMetrics) -> Iterator[TaggedEvent]:
        for seed, loss, norm, group_norms in metrics.iterate_seeds():
            if seed not in self._stack.seeds:
                continue
            if not (math.isfinite(loss) and math.isfinite(norm)):
                error = TrainingDiverged(f"at step {metrics.step}", loss, norm)
                yield from self._remove_seeds([seed], error)
                continue
            event = Step(
                step=metrics.step,
                train_loss=loss,
                learning_rate=metrics.rate,
                grad_norm=norm,
                part_grad_norms=group_norms,
            )
            yield seed.run_id, seed.record_event(event)

    def _check_stop(self) -> None:
        """Raise SeedsStopped if a run was stopped."""
        stopped = [seed for seed in self._stack.seeds if self._is_stopped(seed.run_id)]
        if stopped:
            raise SeedsStopped(stopped)

    def _run_with_retry(self, action: Callable[[], T]) -> Generator[TaggedEvent, None, T | None]:
        """Repeat ``action`` until no seed leaves and memory suffices; return its result.

        Return None if no seed is left.
        """
        while self._stack.seeds:
            stopped: Sequence[SeedRun] = []
            out_of_memory: torch.OutOfMemoryError | None = None
            try:
                return action()
            except SeedsStopped as error:
                stopped = error.seeds
            except torch.OutOfMemoryError as error:
                # the frames of the traceback would keep the memory allocated
                out_of_memory = error.with_traceback(None)
            yield from self._report_metrics(self._metrics.take_remaining_steps())
            if out_of_memory is not None:
                yield from self._defer_half(out_of_memory)
            for seed in stopped:
                yield from self._remove_seeds([seed], StopRequested(seed.run_id))
        return None

    def _remove_seeds(self, seeds: Sequence[SeedRun], reason: Exception) -> Iterator[TaggedEvent]:
        """Remove those of the seeds that are still in the stack, reporting why."""
        present = [seed for seed in seeds if seed in self._stack.seeds]
        if present:
            self._stack.drop_seeds(present)
        yield from ((seed.run_id, reason) for seed in present)

    def _defer_half(self, error: torch.OutOfMemoryError) -> Iterator[TaggedEvent]:
        """Defer the later half of the seeds with their states; a single seed fails instead."""
        stack = self._stack
        stack.optimizer.zero_grad()
        gc.collect()
        torch.cuda.empty_cache()
        if len(stack.seeds) == 1:
            yield from self._remove_seeds(stack.seeds, error)
            return
        later = stack.seeds[(len(stack.seeds) + 1) // 2 :]
        for seed in later:
            seed.resume_state = stack.copy_state(seed)
        stack.drop_seeds(later)
        self._deferred[:0] = later
        torch.cuda.empty_cache()
