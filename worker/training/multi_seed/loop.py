"""The training loop of a stack: one step for all seeds, then what happened to each.

It is the single run's loop (``worker.training.loop``) with three more things to do between
steps: a seed that was stopped, or whose loss or gradient is no finite number, leaves the stack;
where memory does not suffice, half of the seeds are set aside; and whatever was interrupted by
either is done again by those that remain.
"""

import gc
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TypeVar

import torch

from shared.metrics import Scoring
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
from worker.training.optim.schedule import create_linear_schedule, list_evaluation_steps
from worker.training.seeding import seed_dropout_of_stack

TaggedEvent = tuple[str, RunEvent | Exception]
T = TypeVar("T")


class SeedsLeaving(Exception):
    """Some seeds are to leave the stack before it goes on."""

    def __init__(self, seeds: Sequence[SeedRun]) -> None:
        self.seeds = seeds


class StackLoop:
    """Trains a stack to the recipe's end or its runs' ``stop_step``, and says what happens to
    each run.
    """

    def __init__(
        self, stack: SeedStack, is_stopped: Callable[[str], bool], deferred: list[SeedRun]
    ) -> None:
        """``aside`` receives the seeds that memory does not suffice for, with the states to go
        on from.
        """
        spec = stack.seeds[0].spec
        self._stack, self._is_stopped = stack, is_stopped
        self._scoring = Scoring(spec.task, spec.metric)
        recipe = spec.recipe
        self._schedule = create_linear_schedule(
            recipe.learning_rate, recipe.warmup_ratio, recipe.max_steps
        )
        self._evaluation_steps = set(list_evaluation_steps(recipe.max_steps, recipe.eval_points))
        self._last_step = min(spec.stop_step or recipe.max_steps, recipe.max_steps)
        self._objective = build_training_objective(
            spec.task, recipe.class_weights, stack.splits.train.list_labels(), stack.forward.device
        )
        self._gradients = StackedGradients(stack.network, recipe)
        self._metrics = StackMetricsQueue(stack.forward.device)
        self._deferred = deferred

    def run(self) -> Iterator[TaggedEvent]:
        """Ends when the seeds that are left in the stack are at the last step; all others are
        told of, or ``aside``.
        """
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
        """Nothing is changed before the gradients are there, so that a step may be broken off
        and made again.
        """
        stack = self._stack
        self._check_stop()
        rate = self._schedule.compute_rate(step)
        seed_dropout_of_stack([seed.spec.data_seed for seed in stack.seeds], step)
        stack.optimizer.zero_grad()
        batch = stack.forward.build_batch(
            stack.splits.train.text, [seed.get_rows(step) for seed in stack.seeds]
        )
        losses = torch.func.vmap(self._objective)(stack.forward(batch), batch.labels)
        # each seed's gradient is that of its own loss: no parameter is shared
        losses.sum().backward()
        stack.compute_weights.transfer_gradients()
        norms, by_part = self._gradients.compute_norms(step)
        self._gradients.clip_gradients(norms)
        self._metrics.send_metrics(step, rate, stack.seeds, losses, norms, by_part)
        stack.optimizer.step(rate)
        stack.compute_weights.refresh_replica()
        stack.step = step

    def _evaluate_seeds(self, step: int) -> Iterator[TaggedEvent]:
        """Of the seeds that have not been evaluated at this step; those that go on from a state
        have been.
        """
        due = [seed for seed in self._stack.seeds if seed.last_evaluated_step < step]
        if not due:
            return
        found = yield from self._run_with_retry(self._evaluate_stack)
        for seed, answers in (found or {}).items():
            if seed not in self._stack.seeds or seed not in due:
                continue
            if isinstance(answers, TrainingDiverged):
                yield from self._remove_seeds([seed], answers)
                continue
            seed.latest_evaluation = answers
            is_best = yield from self._run_with_retry(
                partial(self._offer_weights, step, seed, answers)
            )
            if is_best is not None:
                yield (
                    seed.run_id,
                    seed.record_event(build_evaluation_event(step, answers, is_best=is_best)),
                )

    def _evaluate_stack(self) -> dict[SeedRun, EvaluationResult | TrainingDiverged]:
        stack = self._stack
        found = evaluate_stack(
            stack.forward,
            len(stack.seeds),
            stack.splits.validation,
            self._scoring,
            self._check_stop,
        )
        return dict(zip(stack.seeds, found, strict=True))

    def _offer_weights(self, step: int, seed: SeedRun, evaluation: EvaluationResult) -> bool | None:
        """Whether it is the seed's best; None where it was set aside to make room for its own
        copy.
        """
        if seed not in self._stack.seeds:
            return None
        return step in self._evaluation_steps and seed.best.offer_weights(
            step, evaluation, self._stack.get_seed_view(seed)
        )

    def _report_metrics(self, metrics: Iterator[StackStepMetrics]) -> Iterator[TaggedEvent]:
        for reading in metrics:
            yield from self._report_step(reading)

    def _report_step(self, metrics: StackStepMetrics) -> Iterator[TaggedEvent]:
        for seed, loss, norm, by_part in metrics.iterate_seeds():
            if seed not in self._stack.seeds:
                continue
            if not (math.isfinite(loss) and math.isfinite(norm)):
                yield from self._remove_seeds(
                    [seed], TrainingDiverged(f"at step {metrics.step}", loss, norm)
                )
                continue
            yield (
                seed.run_id,
                seed.record_event(
                    Step(
                        step=metrics.step,
                        train_loss=loss,
                        learning_rate=metrics.rate,
                        grad_norm=norm,
                        part_grad_norms=by_part,
                    )
                ),
            )

    def _check_stop(self) -> None:
        """Raises Leaving."""
        gone = [seed for seed in self._stack.seeds if self._is_stopped(seed.run_id)]
        if gone:
            raise SeedsLeaving(gone)

    def _run_with_retry(self, action: Callable[[], T]) -> Generator[TaggedEvent, None, T | None]:
        """What ``action`` returns once nobody leaves and memory suffices; None when nobody is
        left.
        """
        while self._stack.seeds:
            try:
                return action()
            except SeedsLeaving as leaving:
                gone, short = leaving.seeds, None
            except torch.OutOfMemoryError as problem:
                gone, short = [], problem.with_traceback(None)  # whose frames hold the memory
            yield from self._report_metrics(self._metrics.take_remaining_steps())
            if short is not None:
                yield from self._defer_half(short)
            for seed in gone:
                yield from self._remove_seeds([seed], StopRequested(seed.run_id))
        return None

    def _remove_seeds(self, seeds: Sequence[SeedRun], reason: Exception) -> Iterator[TaggedEvent]:
        """Those of them that are in the stack still, told once why."""
        present = [seed for seed in seeds if seed in self._stack.seeds]
        if present:
            self._stack.drop_seeds(present)
        yield from ((seed.run_id, reason) for seed in present)

    def _defer_half(self, error: torch.OutOfMemoryError) -> Iterator[TaggedEvent]:
        """Set the later half of the seeds aside, with states to go on from; a seed alone has
        nobody to make room.
        """
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
