"""The product's own training behind the trainer's interface, in this process and at exact steps.

The worker receives one message at a time, and training goes on only when it asks for the next:
a fault can strike between any two of them.
"""

from collections import deque
from collections.abc import Callable, Iterator
from io import StringIO

from worker.trainer.commands import CommandReader, list_specs
from worker.trainer.protocol import StackCommand, TrainerMessage, WorkCommand
from worker.trainer.reporting import RunReporter, RunUpdate
from worker.trainer.stderr_tail import StderrTail
from worker.training.data.tokenization import TextCache
from worker.training.multi_seed.run import train_runs
from worker.training.run import train_run
from worker.training.spec import RunSpec


class RealTrainer:
    """Trains the runs of a command; a new instance has read and tokenized nothing yet."""

    def __init__(self, on_message: Callable[[TrainerMessage], None]) -> None:
        self._on_message = on_message
        self._cache = TextCache()
        self._messages: deque[TrainerMessage] = deque()
        self._updates: Iterator[tuple[str, RunUpdate]] = iter(())
        self._reporter = RunReporter([], CommandReader(StringIO()), self._messages.append)
        self.stderr_tail = StderrTail()

    def submit_command(self, command: WorkCommand) -> None:
        run_ids = [spec.run_id for spec in list_specs(command)]
        self._reporter = RunReporter(run_ids, CommandReader(StringIO()), self._messages.append)
        self._updates = self._train(command)

    def receive_message(self, _timeout: float) -> TrainerMessage | None:
        while not self._messages:
            self._report_next()
        message = self._messages.popleft()
        self._on_message(message)
        return message

    def request_stop(self, run_id: str) -> None:
        raise AssertionError(f"nobody stops {run_id}")

    def end_when_idle(self) -> None: ...

    def kill(self, *_signals: object) -> None:
        self._updates = iter(())

    def _report_next(self) -> None:
        """Train up to the next event; an error of a run is reported as a trainer reports it."""
        try:
            self._reporter.report_update(*next(self._updates))
        except Exception as error:  # noqa: BLE001 (as at the boundary of the real process)
            for run_id in list(self._reporter.open_run_ids):
                self._reporter.report_update(run_id, error)

    def _train(self, command: WorkCommand) -> Iterator[tuple[str, RunUpdate]]:
        specs = [RunSpec.model_validate(spec.model_dump()) for spec in list_specs(command)]
        if isinstance(command, StackCommand):
            yield from train_runs(specs, lambda _: False, self._cache, stack_size=len(specs))
            return
        [spec] = specs
        for event in train_run(spec, lambda: False, self._cache):
            yield spec.run_id, event
