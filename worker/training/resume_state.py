"""What a run can go on from, as files: weights, optimiser, best checkpoint so far, and what its
diagnosis will want to know.

The order of the rows and the dropout are functions of the seeds and the step (``seeding``), so
nothing of a generator is kept. On a CPU a run that goes on ends bit for bit as one that never
stopped. Tensors are kept as safetensors and everything else as JSON, so that reading a state
can run no code.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from worker.training.evaluation import EvaluationResult
from worker.training.model.checkpoint import BestCheckpoint, SupportsStateDict
from worker.training.model.precision import ComputeWeights
from worker.training.optim.optimizer import Optimizer
from worker.training.run_diagnostics import History

_TENSOR_KEY = "tensor"


def save_state(
    folder: Path,
    network: SupportsStateDict,
    optimizer: SupportsStateDict,
    best: BestCheckpoint,
    history: History,
) -> None:
    """Write the state into a new folder."""
    folder.mkdir()
    _save_tensors(folder / "weights.safetensors", network.state_dict())
    if best.weights is not None:
        _save_tensors(folder / "best.safetensors", best.weights)
    moments: dict[str, Tensor] = {}
    description = {
        "history": history.model_dump(mode="json"),
        "best": {"step": best.step, "score": best.score},
        "optimizer": _pack_state(optimizer.state_dict(), "", moments),
    }
    _save_tensors(folder / "optimizer.safetensors", moments)
    (folder / "state.json").write_text(json.dumps(description, allow_nan=False), encoding="utf-8")


def load_state(
    folder: Path,
    network: PreTrainedModel,
    optimizer: Optimizer,
    best: BestCheckpoint,
    compute_weights: ComputeWeights,
    evaluate: Callable[[], EvaluationResult],
) -> History:
    """Put the run's parts, made anew, back to where they were.

    ``evaluate`` scores what ``compute`` holds: the answers of the best checkpoint are not kept
    but given again.
    """
    state = read_state(folder, network.device)
    network.load_state_dict(state.chosen_weights)
    compute_weights.refresh_replica()
    best.resume_from(
        state.best_step,
        state.best_score,
        evaluate() if state.best_step else None,
        state.best_weights,
    )
    network.load_state_dict(state.weights)
    compute_weights.refresh_replica()
    optimizer.load_state_dict(state.optimizer)
    return state.history


@dataclass(frozen=True)
class ResumeState:
    """What ``save_state`` wrote."""

    weights: dict[str, Tensor]
    best_weights: dict[str, Tensor] | None
    best_step: int
    """0 where nothing had been chosen yet."""
    best_score: float | None
    optimizer: dict[str, Any]
    """Of ``Optimizer.state_dict``, its tensors on the CPU."""
    history: History

    @property
    def chosen_weights(self) -> dict[str, Tensor]:
        """The chosen weights: those of the last step where no copy was kept."""
        return self.weights if self.best_weights is None else self.best_weights


def read_state_step(folder: Path) -> int:
    """After how many steps the state was kept."""
    description = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    return History.model_validate(description["history"]).step


def read_state(folder: Path, device: torch.device | str) -> ResumeState:
    description = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    kept = folder / "best.safetensors"
    moments = _load_tensors(folder / "optimizer.safetensors", "cpu")
    return ResumeState(
        weights=_load_tensors(folder / "weights.safetensors", device),
        best_weights=_load_tensors(kept, device) if kept.exists() else None,
        best_step=description["best"]["step"],
        best_score=description["best"]["score"],
        optimizer=_unpack_state(description["optimizer"], moments),
        history=History.model_validate(description["history"]),
    )


def _save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """A copy of each: safetensors takes no two names for the same memory."""
    save_file(
        {
            name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, tensor in tensors.items()
        },
        path,
    )


def _load_tensors(path: Path, device: torch.device | str) -> dict[str, Tensor]:
    return load_file(path, device=str(device))


def _pack_state(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """A nested state as JSON, its tensors put aside by their paths; a mapping becomes pairs,
    for its keys may be numbers.
    """
    if isinstance(value, Tensor):
        tensors[path] = value
        return {_TENSOR_KEY: path}
    if isinstance(value, Mapping):
        return {
            "pairs": [
                [key, _pack_state(item, f"{path}/{key}", tensors)] for key, item in value.items()
            ]
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_pack_state(item, f"{path}/{place}", tensors) for place, item in enumerate(value)]
    return value


def _unpack_state(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack_state(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR_KEY in value:
        return tensors[value[_TENSOR_KEY]]
    return {key: _unpack_state(item, tensors) for key, item in value["pairs"]}
