"""A trainer whose numbers follow from the seed and from what it reads, as those of a real one."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.simulation.points import FaultPoints, Place
from tests.worker.scripted_trainer import Line, make_event_line, make_finished_event, to_message
from tests.worker.simulated_trainer import STEPS, ModelTrainer
from worker.trainer.process import TrainerDied
from worker.trainer.protocol import TrainerMessage


class DeterministicTrainer(ModelTrainer):
    """Trains run after run; ``dies_next`` lets it die at its next message."""

    def __init__(self, points: FaultPoints) -> None:
        super().__init__()
        self._points = points
        self.dies_next = False

    def receive_message(self, _timeout: float) -> TrainerMessage | None:
        self._points.pass_moment(Place.TRAINER)
        if self.dies_next:
            self.dies_next = False
            raise TrainerDied("The trainer process was killed (signal 9).")
        return to_message(next(self._lines))

    def request_stop(self, run_id: str) -> None:
        self._lines = iter([{"run_id": run_id, "stopped": True}])

    def _train(self, specs: list[dict[str, Any]]) -> Iterator[Line]:
        for spec in specs:
            yield from train_run(spec)


def train_run(spec: dict[str, Any]) -> Iterator[Line]:
    """Yield the lines of a run, from the step of its state to its rung or its end."""
    run_id, seed = spec["run_id"], spec["init_seed"]
    content = _read_inputs(spec)
    first, last = _read_state(spec), spec["stop_step"] or STEPS
    if spec["recipe"]["head_first"] and not first:
        fit = {"rows": 40, "loss": compute_value(content, seed, 0), "score": None, "penalty": 0.1}
        yield make_event_line("head_fitted", run_id=run_id, fit=fit)
    value = 0.0
    for step in range(first + 1, last + 1):
        value = compute_value(content, seed, step)
        numbers = {"train_loss": value, "learning_rate": 0.1, "grad_norm": value / 2}
        yield make_event_line("step", run_id=run_id, step=step, part_grad_norms={}, **numbers)
        if step % 5 == 0:
            scores = {"valid_loss": value, "metrics": {"accuracy": value}, "score": value}
            yield make_event_line("evaluation", run_id=run_id, step=step, is_best=True, **scores)
    output = Path(spec["output"])
    if last < STEPS:
        _write_state(output / f"state-{last}", last)
        ended = {"score": value, "degenerate": False, "trained_tokens": 7}
        yield make_event_line("paused", run_id=run_id, step=last, **ended)
        return
    if spec["export"]:
        _write_artifacts(output, compute_value(content, seed, STEPS))
    finished = make_finished_event(compute_value(content, seed, STEPS), best_step=STEPS)
    yield {"run_id": run_id, "event": finished | {"weights_sha256": f"w{seed}"}}


def compute_value(content: bytes, seed: int, step: int) -> float:
    digest = hashlib.sha256(content + f"{seed} {step}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _read_inputs(spec: dict[str, Any]) -> bytes:
    """Return what the run's numbers depend on: its data, its recipe and its teachers."""
    teachers = sorted(
        (Path(folder) / "model.safetensors").read_bytes() for folder in spec["teachers"]
    )
    recipe = json.dumps(spec["recipe"], sort_keys=True).encode()
    return b"".join([Path(spec["training_file"]["path"]).read_bytes(), recipe, *teachers])


def _read_state(spec: dict[str, Any]) -> int:
    """Return the step that the run continues after; 0 for a new run."""
    if spec["state"] is None:
        return 0
    return int(json.loads((Path(spec["state"]) / "state.json").read_text())["step"])


def _write_state(folder: Path, step: int) -> None:
    folder.mkdir()
    (folder / "optimizer.safetensors").write_text("moments")
    (folder / "state.json").write_text(json.dumps({"step": step}))


def _write_artifacts(output: Path, value: float) -> None:
    (output / "model").mkdir()
    (output / "model" / "config.json").write_text("{}")
    (output / "model" / "model.safetensors").write_text(f"{value}")
    (output / "predictions.json").write_text('{"rows": []}')
