"""One run of a stack: its state besides its slices of the stack's tensors."""

from collections.abc import Iterator
from itertools import islice

from worker.training.data.batches import iterate_shuffled_batches
from worker.training.data.split import Splits
from worker.training.evaluation import EvaluationResult
from worker.training.events import Evaluation, Step
from worker.training.head_first.fitted_head import FittedHead
from worker.training.model.checkpoint import create_best_checkpoint
from worker.training.resume_state import ResumeState, read_state
from worker.training.run_diagnostics import History
from worker.training.spec import RunSpec


class SeedRun:
    """A run while it is trained in a stack or waits for one."""

    def __init__(self, spec: RunSpec, splits: Splits) -> None:
        self.spec = spec
        self.best = create_best_checkpoint(spec.recipe, spec.output)
        self.history = History()
        self.latest_evaluation: EvaluationResult | None = None
        self.resume_state: ResumeState | None = None
        """State to resume from; None at the start of a run and while the seed is in a stack."""
        self.last_evaluated_step = 0
        """The last step whose evaluation was reported."""
        self.is_started = False
        self.fitted_head: FittedHead | None = None
        """The head that training starts from, once it is fitted; None if the recipe draws it."""
        self._splits = splits
        self._batches: Iterator[tuple[int, list[int]]] | None = None
        self._batch: tuple[int, list[int]] = (0, [])
        if spec.state is not None:
            self.resume_state = read_state(spec.state, device="cpu")
            self.history = self.resume_state.history
            self.last_evaluated_step = self.history.step  # a pause comes after an evaluation

    @property
    def run_id(self) -> str:
        return self.spec.run_id

    def get_rows(self, step: int) -> list[int]:
        """Return the training rows of a step; steps must not decrease from call to call."""
        if self._batches is None:
            order = iterate_shuffled_batches(
                self._splits.train.rows, self.spec.recipe.train_batch_size, self.spec.data_seed
            )
            self._batches = islice(enumerate(order, start=1), step - 1, None)
        while self._batch[0] < step:
            self._batch = next(self._batches)
        return self._batch[1]

    def record_event(self, event: Step | Evaluation) -> Step | Evaluation:
        """Add an event to the history and return it."""
        self.history.record_event(event)
        if isinstance(event, Evaluation):
            self.last_evaluated_step = event.step
        return event
