"""The best checkpoints of a run, kept as files until some of them are averaged.

A run keeps at most ``MAX_AVERAGED_CHECKPOINTS`` of them, in a folder of its own on the disk: the
memory of a GPU is needed for the seeds that train side by side.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, RootModel
from torch import Tensor

from shared.recipe.fields import MAX_AVERAGED_CHECKPOINTS
from worker.training.model.weight_files import SupportsStateDict, load_tensors, save_tensors

_INDEX_FILE = "candidates.json"


class Candidate(BaseModel):
    """A checkpoint that may become part of the average."""

    model_config = ConfigDict(frozen=True)

    step: int
    score: float
    """Validation score at this step, in the precision of the training."""

    @property
    def filename(self) -> str:
        return f"step-{self.step}.safetensors"


_CandidateIndex = RootModel[list[Candidate]]


class AverageCandidates:
    """The best checkpoints so far, best first; the earlier one of equal scores comes first."""

    def __init__(self, folder: Path) -> None:
        """Keep the files in ``folder``, which is created with the first of them."""
        self._folder = folder
        self._candidates: list[Candidate] = []

    @property
    def steps(self) -> list[int]:
        """Steps of the candidates, best first."""
        return [candidate.step for candidate in self._candidates]

    def offer_weights(self, step: int, score: float | None, network: SupportsStateDict) -> None:
        """Keep the network's current weights if their score is among the best.

        An undefined score never is. Offering a step again replaces it.
        """
        if score is None:
            return
        offered = Candidate(step=step, score=score)
        others = [candidate for candidate in self._candidates if candidate.step != step]
        ranked = sorted([*others, offered], key=lambda one: (-one.score, one.step))
        kept, dropped = ranked[:MAX_AVERAGED_CHECKPOINTS], ranked[MAX_AVERAGED_CHECKPOINTS:]
        if offered in kept:
            self._folder.mkdir(exist_ok=True)
            save_tensors(self._folder / offered.filename, network.state_dict())
        for candidate in dropped:
            (self._folder / candidate.filename).unlink(missing_ok=True)
        self._candidates = kept

    def average_weights(self, steps: Sequence[int], device: torch.device) -> dict[str, Tensor]:
        """Return the mean of these candidates' weights on the device, by name."""
        files = [
            load_tensors(self._folder / candidate.filename, "cpu")
            for candidate in self._candidates
            if candidate.step in steps
        ]
        return {
            name: average_tensors([tensors[name] for tensors in files]).to(device)
            for name in files[0]
        }

    def move_to(self, folder: Path) -> None:
        """Move the files and their index into a new folder, as part of a resume state."""
        folder.mkdir()
        for candidate in self._candidates:
            shutil.move(self._folder / candidate.filename, folder / candidate.filename)
        index = _CandidateIndex(self._candidates).model_dump_json()
        (folder / _INDEX_FILE).write_text(index, encoding="utf-8")
        self.delete_files()

    def copy_from(self, folder: Path) -> None:
        """Continue with the candidates that ``move_to`` put into the folder."""
        index = (folder / _INDEX_FILE).read_text(encoding="utf-8")
        candidates = _CandidateIndex.model_validate_json(index).root
        self._folder.mkdir(exist_ok=True)
        for candidate in candidates:
            shutil.copyfile(folder / candidate.filename, self._folder / candidate.filename)
        self._candidates = candidates

    def delete_files(self) -> None:
        """Delete the folder and forget the candidates."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._candidates = []


def average_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """Return the mean of tensors of equal shape, summed in float64 and rounded once.

    Tensors that are not of floating point, such as position numbers, are equal in all checkpoints.
    """
    first = tensors[0]
    if not first.is_floating_point():
        return first
    total = first.double()
    for tensor in tensors[1:]:
        total = total + tensor
    return (total / len(tensors)).to(first.dtype)
