"""Runs of one job, trained side by side or each by itself."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from tests.worker.training.runs import make_spec
from worker.training.events import Evaluation, Finished, Paused, RunEvent, Step
from worker.training.multi_seed.run import train_runs
from worker.training.spec import RunSpec


def make_specs(folder: Path, base_model: Path, count: int, **changes: Any) -> list[RunSpec]:
    """Alike but for their seeds, which are 1, 2, …"""
    return [
        make_spec(
            folder, base_model, run_id=f"ftrun-{seed}", init_seed=seed, data_seed=seed, **changes
        )
        for seed in range(1, count + 1)
    ]


def never(_: str) -> bool:
    return False


class Together:
    """All that ``train_runs`` tells of each run, by its id."""

    def __init__(self, specs: Sequence[RunSpec]) -> None:
        self._specs = specs
        self.told: dict[str, list[RunEvent | Exception]] = {spec.run_id: [] for spec in specs}
        self.order: list[str] = []
        """Of the runs, by their last items."""

    def train(self, *, width: int | None, stopped: Callable[[str], bool] = never) -> Self:
        for run_id, told in train_runs(self._specs, stopped, stack_size=width):
            self.told[run_id].append(told)
            if isinstance(told, Finished | Paused | Exception):
                self.order.append(run_id)
        return self

    def steps(self, run_id: str) -> list[Step]:
        return [told for told in self.told[run_id] if isinstance(told, Step)]

    def evaluations(self, run_id: str) -> list[Evaluation]:
        return [told for told in self.told[run_id] if isinstance(told, Evaluation)]

    def last(self, run_id: str) -> RunEvent | Exception:
        return self.told[run_id][-1]

    def finished(self, run_id: str) -> Finished:
        last = self.last(run_id)
        assert isinstance(last, Finished), last
        return last
