"""Runs of one job, trained side by side or one by one."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from tests.worker.training.runs import make_spec
from worker.training.events import Evaluation, Finished, Paused, RunEvent, Step
from worker.training.multi_seed.run import train_runs
from worker.training.spec import RunSpec


def make_specs(folder: Path, base_model: Path, count: int, **changes: Any) -> list[RunSpec]:
    """Return specs that differ only in their seeds 1, 2, … and folders."""
    return [
        make_spec(
            folder, base_model, run_id=f"ftrun-{seed}", init_seed=seed, data_seed=seed, **changes
        )
        for seed in range(1, count + 1)
    ]


def is_never_stopped(_: str) -> bool:
    return False


class TrainedRuns:
    """The items that ``train_runs`` yields, by run id."""

    def __init__(self, specs: Sequence[RunSpec]) -> None:
        self._specs = specs
        self.items: dict[str, list[RunEvent | Exception]] = {spec.run_id: [] for spec in specs}
        self.order: list[str] = []
        """The run ids in the order of their last items."""

    def train(
        self, *, stack_size: int | None, is_stopped: Callable[[str], bool] = is_never_stopped
    ) -> Self:
        """Train all runs and record what happens."""
        for run_id, item in train_runs(self._specs, is_stopped, stack_size=stack_size):
            self.items[run_id].append(item)
            if isinstance(item, Finished | Paused | Exception):
                self.order.append(run_id)
        return self

    def list_steps(self, run_id: str) -> list[Step]:
        return [item for item in self.items[run_id] if isinstance(item, Step)]

    def list_evaluations(self, run_id: str) -> list[Evaluation]:
        return [item for item in self.items[run_id] if isinstance(item, Evaluation)]

    def get_last_item(self, run_id: str) -> RunEvent | Exception:
        return self.items[run_id][-1]

    def get_finished(self, run_id: str) -> Finished:
        last = self.get_last_item(run_id)
        assert isinstance(last, Finished), last
        return last
