"""Resume state of a paused run, on disk: weights, optimizer, best checkpoint so far, and metrics.

The order of the rows and the dropout are functions of the seeds and the step (``seeding``), so no
generator state is saved. On a CPU a resumed run ends bit for bit like one that never paused.
Tensors are saved as safetensors and everything else as JSON, so that reading a state cannot run
code.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from pydantic import BaseModel
from torch import Tensor

from worker.training.evaluation import EvaluationResult
from worker.training.loop import TrainingSetup
from worker.training.model.checkpoint import BestCheckpoint
from worker.training.model.weight_files import SupportsStateDict, load_tensors, save_tensors
from worker.training.optim.optimizer import OptimizerState
from worker.training.run_diagnostics import History

_CANDIDATES_FOLDER = "candidates"


class SupportsOptimizerState(Protocol):
    """An optimizer, or one seed's view of a stack's optimizer."""

    def state_dict(self) -> OptimizerState: ...


@dataclass(frozen=True)
class ResumeState:
    """What ``save_state`` wrote."""

    weights: dict[str, Tensor]
    best_weights: dict[str, Tensor] | None
    best_step: int
    """0 if nothing was chosen yet."""
    best_score: float | None
    optimizer: OptimizerState
    """With its tensors on the CPU."""
    history: History

    @property
    def chosen_weights(self) -> dict[str, Tensor]:
        """The chosen weights; those of the last step if no copy was kept."""
        return self.weights if self.best_weights is None else self.best_weights


class _BestDescription(BaseModel):
    """The chosen checkpoint."""

    step: int
    score: float | None
    has_weights: bool | None = None
    """Whether the state has a copy of its weights; None in states of earlier versions, where the
    file tells."""


class _TensorReference(BaseModel):
    """Name of a tensor in ``optimizer.safetensors``."""

    tensor: str


class _OptimizerDescription(BaseModel):
    """The optimizer's state as pairs of names and values, its tensors replaced by references."""

    pairs: tuple[
        tuple[str, int],
        tuple[str, list[_TensorReference]],
        tuple[str, list[_TensorReference]],
    ]


class _StateDescription(BaseModel):
    """Content of ``state.json``."""

    history: History
    best: _BestDescription
    optimizer: _OptimizerDescription


def save_state(
    folder: Path,
    network: SupportsStateDict,
    optimizer: SupportsOptimizerState,
    best: BestCheckpoint,
    history: History,
) -> None:
    """Write the state into a new folder; the files of the average's candidates are moved there."""
    folder.mkdir()
    save_tensors(folder / "weights.safetensors", network.state_dict())
    if best.weights is not None:
        save_tensors(folder / "best.safetensors", best.weights)
    if best.candidates is not None:
        best.candidates.move_to(folder / _CANDIDATES_FOLDER)
    moments: dict[str, Tensor] = {}
    description = _StateDescription(
        history=history,
        best=_BestDescription(
            step=best.step, score=best.score, has_weights=best.weights is not None
        ),
        optimizer=_describe_optimizer(optimizer.state_dict(), moments),
    )
    save_tensors(folder / "optimizer.safetensors", moments)
    content = json.dumps(description.model_dump(mode="json"), allow_nan=False)
    (folder / "state.json").write_text(content, encoding="utf-8")


def load_state(
    folder: Path, setup: TrainingSetup, evaluate: Callable[[], EvaluationResult]
) -> History:
    """Load the state into a newly built setup and return its history.

    ``evaluate`` scores the current weights: the predictions of the best checkpoint are not saved
    but computed again.
    """
    network, compute_weights = setup.network, setup.compute_weights
    state = read_state(folder, network.device)
    network.load_state_dict(state.chosen_weights)
    compute_weights.refresh_replica()
    evaluation = evaluate() if state.best_step else None
    setup.best.resume_from(state.best_step, state.best_score, evaluation, state.best_weights)
    resume_candidates(folder, setup.best)
    network.load_state_dict(state.weights)
    compute_weights.refresh_replica()
    setup.optimizer.load_state_dict(state.optimizer)
    return state.history


def resume_candidates(folder: Path, best: BestCheckpoint) -> None:
    """Copy the candidates of a checkpoint average out of the state, if the recipe keeps any."""
    if best.candidates is not None:
        best.candidates.copy_from(folder / _CANDIDATES_FOLDER)


def read_state_step(folder: Path) -> int:
    """Return the number of steps after which the state was saved."""
    return _read_description(folder).history.step


def read_state(folder: Path, device: torch.device | str) -> ResumeState:
    """Read a state that ``save_state`` wrote, its weights onto the device."""
    description = _read_description(folder)
    best_file, has_best = folder / "best.safetensors", description.best.has_weights
    if has_best is None:
        has_best = best_file.exists()
    moments = load_tensors(folder / "optimizer.safetensors", "cpu")
    return ResumeState(
        weights=load_tensors(folder / "weights.safetensors", device),
        best_weights=load_tensors(best_file, device) if has_best else None,
        best_step=description.best.step,
        best_score=description.best.score,
        optimizer=_restore_optimizer(description.optimizer, moments),
        history=description.history,
    )


def _read_description(folder: Path) -> _StateDescription:
    content = (folder / "state.json").read_text(encoding="utf-8")
    return _StateDescription.model_validate(json.loads(content))


def _describe_optimizer(state: OptimizerState, tensors: dict[str, Tensor]) -> _OptimizerDescription:
    """Describe the state, adding its tensors to ``tensors`` by their paths in it."""

    def reference_tensors(name: str, moments: list[Tensor]) -> tuple[str, list[_TensorReference]]:
        references = []
        for index, moment in enumerate(moments):
            path = f"/{name}/{index}"
            tensors[path] = moment
            references.append(_TensorReference(tensor=path))
        return name, references

    return _OptimizerDescription(
        pairs=(
            ("updates", state["updates"]),
            reference_tensors("exp_avg", state["exp_avg"]),
            reference_tensors("exp_avg_sq", state["exp_avg_sq"]),
        )
    )


def _restore_optimizer(
    description: _OptimizerDescription, tensors: Mapping[str, Tensor]
) -> OptimizerState:
    (_, updates), (_, first_moments), (_, second_moments) = description.pairs
    return OptimizerState(
        updates=updates,
        exp_avg=[tensors[reference.tensor] for reference in first_moments],
        exp_avg_sq=[tensors[reference.tensor] for reference in second_moments],
    )
