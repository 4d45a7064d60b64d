"""One run of a stack: what it has of its own beside its share of the stack's tensors."""

from collections.abc import Iterator
from itertools import islice

from worker.training.data.batches import shuffled
from worker.training.data.split import Splits
from worker.training.evaluation import Evaluated
from worker.training.events import Evaluation, Step
from worker.training.model.checkpoint import Best
from worker.training.resume_state import State, read_state
from worker.training.run_diagnostics import History
from worker.training.spec import RunSpec


class Seed:
    def __init__(self, spec: RunSpec, splits: Splits) -> None:
        self.spec = spec
        self.best = Best(spec.recipe.select)
        self.history = History()
        self.answers: Evaluated | None = None
        """Of the latest evaluation."""
        self.state: State | None = None
        """To go on from; None for the beginning, and while the seed is in a stack."""
        self.evaluated = 0
        """The last step whose evaluation was told."""
        self.started = False
        self._splits = splits
        self._batches: Iterator[tuple[int, list[int]]] | None = None
        self._batch: tuple[int, list[int]] = (0, [])
        if spec.state is not None:
            self.state = read_state(spec.state, device="cpu")
            self.history = self.state.history
            self.evaluated = self.history.step  # a pause comes after an evaluation

    @property
    def run_id(self) -> str:
        return self.spec.run_id

    def rows(self, step: int) -> list[int]:
        """The training rows of a step, which may be asked for again until a later one's are."""
        if self._batches is None:
            order = shuffled(
                self._splits.train.rows, self.spec.recipe.train_batch_size, self.spec.data_seed
            )
            self._batches = islice(enumerate(order, start=1), step - 1, None)
        while self._batch[0] < step:
            self._batch = next(self._batches)
        return self._batch[1]

    def note(self, event: Step | Evaluation) -> Step | Evaluation:
        self.history.note(event)
        if isinstance(event, Evaluation):
            self.evaluated = event.step
        return event
