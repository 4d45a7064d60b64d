"""The training loop of a stack: one step for all seeds, then what happened to each.

It is the single run's loop (``worker.training.loop``) with three more things to do between steps: a seed that was stopped, or whose loss
or gradient is no finite number, leaves the stack; where memory does not suffice, half of the seeds are set aside; and whatever was
interrupted by either is done again by those that remain.
"""

import gc
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TypeVar

import torch

from shared.metrics import Scoring
from worker.training.errors import Diverged, Stopped
from worker.training.evaluation import Evaluated
from worker.training.events import Event, Step
from worker.training.loop import evaluation
from worker.training.multi_seed.async_metrics import Reading, Readings
from worker.training.multi_seed.evaluation import evaluate_stack
from worker.training.multi_seed.gradients import StackedGradients
from worker.training.multi_seed.seed import Seed
from worker.training.multi_seed.stack import Stack
from worker.training.optim.objective import training_objective
from worker.training.optim.schedule import evaluation_steps, linear_schedule
from worker.training.seeding import seed_dropout_of_stack

Told = tuple[str, Event | Exception]
T = TypeVar("T")


class Leaving(Exception):
    """Some seeds are to leave the stack before it goes on."""

    def __init__(self, seeds: Sequence[Seed]) -> None:
        self.seeds = seeds


class StackLoop:
    """Trains a stack to the recipe's end or its runs' ``stop_step``, and says what happens to each run."""

    def __init__(self, stack: Stack, stopped: Callable[[str], bool], aside: list[Seed]) -> None:
        """``aside`` receives the seeds that memory does not suffice for, with the states to go on from."""
        spec = stack.seeds[0].spec
        self._stack, self._stopped = stack, stopped
        self._judge = Scoring(spec.task, spec.metric)
        recipe = spec.recipe
        self._schedule = linear_schedule(
            recipe.learning_rate, recipe.warmup_ratio, recipe.max_steps
        )
        self._points = set(evaluation_steps(recipe.max_steps, recipe.eval_points))
        self._last = min(spec.stop_step or recipe.max_steps, recipe.max_steps)
        self._objective = training_objective(
            spec.task, recipe.class_weights, stack.splits.train.labels(), stack.forward.device
        )
        self._gradients = StackedGradients(stack.network, recipe)
        self._readings = Readings(stack.forward.device)
        self._aside = aside

    def run(self) -> Iterator[Told]:
        """Ends when the seeds that are left in the stack are at the last step; all others are told of, or ``aside``."""
        stack = self._stack
        while stack.seeds:
            step = stack.step
            if step in self._points or step == self._last:
                yield from self._tell(self._readings.rest())
                yield from self._evaluate(step)
            if step >= self._last:
                return
            stack.forward.train()
            yield from self._carried_out(partial(self._step, stack.step + 1))
            yield from self._tell(self._readings.due())
        yield from self._tell(self._readings.rest())

    def _step(self, step: int) -> None:
        """Nothing is changed before the gradients are there, so that a step may be broken off and made again."""
        stack = self._stack
        self._ask_whether_to_stop()
        rate = self._schedule.rate(step)
        seed_dropout_of_stack([seed.spec.data_seed for seed in stack.seeds], step)
        stack.optimizer.zero_grad()
        batch = stack.forward.batch(
            stack.splits.train.text, [seed.rows(step) for seed in stack.seeds]
        )
        losses = torch.func.vmap(self._objective)(stack.forward(batch), batch.labels)
        losses.sum().backward()  # each seed's gradient is that of its own loss: no parameter is shared
        stack.compute.bring_gradients()
        norms, by_part = self._gradients.norms(step)
        self._gradients.clip(norms)
        self._readings.send(step, rate, stack.seeds, losses, norms, by_part)
        stack.optimizer.step(rate)
        stack.compute.cast()
        stack.step = step

    def _evaluate(self, step: int) -> Iterator[Told]:
        """Of the seeds that have not been evaluated at this step; those that go on from a state have been."""
        due = [seed for seed in self._stack.seeds if seed.evaluated < step]
        if not due:
            return
        found = yield from self._carried_out(self._answers)
        for seed, answers in (found or {}).items():
            if seed not in self._stack.seeds or seed not in due:
                continue
            if isinstance(answers, Diverged):
                yield from self._leave([seed], answers)
                continue
            seed.answers = answers
            is_best = yield from self._carried_out(partial(self._offer, step, seed, answers))
            if is_best is not None:
                yield seed.run_id, seed.note(evaluation(step, answers, is_best=is_best))

    def _answers(self) -> dict[Seed, Evaluated | Diverged]:
        stack = self._stack
        found = evaluate_stack(
            stack.forward,
            len(stack.seeds),
            stack.splits.validation,
            self._judge,
            self._ask_whether_to_stop,
        )
        return dict(zip(stack.seeds, found, strict=True))

    def _offer(self, step: int, seed: Seed, answers: Evaluated) -> bool | None:
        """Whether it is the seed's best; None where it was set aside to make room for its own copy."""
        if seed not in self._stack.seeds:
            return None
        return step in self._points and seed.best.offer(step, answers, self._stack.share(seed))

    def _tell(self, readings: Iterator[Reading]) -> Iterator[Told]:
        for reading in readings:
            yield from self._told(reading)

    def _told(self, reading: Reading) -> Iterator[Told]:
        for seed, loss, norm, by_part in reading.by_seed():
            if seed not in self._stack.seeds:
                continue
            if not (math.isfinite(loss) and math.isfinite(norm)):
                yield from self._leave([seed], Diverged(f"at step {reading.step}", loss, norm))
                continue
            yield (
                seed.run_id,
                seed.note(
                    Step(
                        step=reading.step,
                        train_loss=loss,
                        learning_rate=reading.rate,
                        grad_norm=norm,
                        part_grad_norms=by_part,
                    )
                ),
            )

    def _ask_whether_to_stop(self) -> None:
        """Raises Leaving."""
        gone = [seed for seed in self._stack.seeds if self._stopped(seed.run_id)]
        if gone:
            raise Leaving(gone)

    def _carried_out(self, action: Callable[[], T]) -> Generator[Told, None, T | None]:
        """What ``action`` returns once nobody leaves and memory suffices; None when nobody is left."""
        while self._stack.seeds:
            try:
                return action()
            except Leaving as leaving:
                gone, short = leaving.seeds, None
            except torch.OutOfMemoryError as problem:
                gone, short = [], problem.with_traceback(None)  # whose frames hold the memory
            yield from self._tell(self._readings.rest())
            if short is not None:
                yield from self._halve(short)
            for seed in gone:
                yield from self._leave([seed], Stopped(seed.run_id))
        return None

    def _leave(self, seeds: Sequence[Seed], why: Exception) -> Iterator[Told]:
        """Those of them that are in the stack still, told once why."""
        present = [seed for seed in seeds if seed in self._stack.seeds]
        if present:
            self._stack.drop(present)
        yield from ((seed.run_id, why) for seed in present)

    def _halve(self, short: torch.OutOfMemoryError) -> Iterator[Told]:
        """Set the later half of the seeds aside, with states to go on from; a seed alone has nobody to make room."""
        stack = self._stack
        stack.optimizer.zero_grad()
        gc.collect()
        torch.cuda.empty_cache()
        if len(stack.seeds) == 1:
            yield from self._leave(stack.seeds, short)
            return
        later = stack.seeds[(len(stack.seeds) + 1) // 2 :]
        for seed in later:
            seed.state = stack.state_of(seed)
        stack.drop(later)
        self._aside[:0] = later
        torch.cuda.empty_cache()
