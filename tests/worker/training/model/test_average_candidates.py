"""The files of the checkpoints that may be averaged, and their mean."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from worker.training.model.average_candidates import AverageCandidates, average_tensors


class _Network(nn.Module):
    """A network whose weights are all one number."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((3,), float(number)))
        self.register_buffer("positions", torch.arange(3))


def offer_scores(candidates: AverageCandidates, scores: list[float | None]) -> None:
    for step, score in enumerate(scores, start=1):
        candidates.offer_weights(step, score, _Network(step))


@pytest.mark.parametrize(
    ("scores", "steps"),
    [
        ([0.1, 0.2, 0.3, 0.4], [4, 3, 2]),
        ([0.5, 0.5, 0.5, 0.5], [1, 2, 3]),  # the earlier of equal scores
        ([0.9, None, 0.1, None], [1, 3]),
        ([None, None], []),
    ],
)
def test_the_best_three_are_kept_and_no_other_file(
    scores: list[float | None], steps: list[int], tmp_path: Path
) -> None:
    candidates = AverageCandidates(tmp_path / "candidates")
    offer_scores(candidates, scores)
    assert candidates.steps == steps
    files = {path.name for path in tmp_path.glob("candidates/*")}
    assert files == {f"step-{step}.safetensors" for step in steps}


def test_offering_a_step_again_replaces_it(tmp_path: Path) -> None:
    candidates = AverageCandidates(tmp_path / "candidates")
    candidates.offer_weights(1, 0.5, _Network(1))
    candidates.offer_weights(1, 0.5, _Network(7))
    assert candidates.steps == [1]
    assert _average(candidates, [1])["weight"].tolist() == [7, 7, 7]


def test_the_mean_is_that_of_the_named_steps(tmp_path: Path) -> None:
    candidates = AverageCandidates(tmp_path / "candidates")
    offer_scores(candidates, [0.1, 0.2, 0.3, 0.4])
    weights = _average(candidates, [4, 2])
    assert weights["weight"].tolist() == [3, 3, 3]
    assert weights["weight"].dtype == torch.float32
    assert weights["positions"].tolist() == [0, 1, 2]


def test_moved_candidates_continue_elsewhere_and_leave_their_state_as_it_was(
    tmp_path: Path,
) -> None:
    first = AverageCandidates(tmp_path / "first")
    offer_scores(first, [0.3, 0.1, 0.2])
    first.move_to(tmp_path / "state")
    assert not (tmp_path / "first").exists()
    stored = sorted((path.name, path.read_bytes()) for path in (tmp_path / "state").iterdir())
    second = AverageCandidates(tmp_path / "second")
    second.copy_from(tmp_path / "state")
    second.offer_weights(4, 0.4, _Network(4))
    assert second.steps == [4, 1, 3]
    assert _average(second, [4, 1, 3])["weight"].tolist() == [torch.tensor(8 / 3).item()] * 3
    second.delete_files()
    assert second.steps == []
    assert not (tmp_path / "second").exists()
    state = sorted((path.name, path.read_bytes()) for path in (tmp_path / "state").iterdir())
    assert state == stored


def test_the_mean_is_rounded_once() -> None:
    values = [torch.tensor([1.0]), torch.tensor([2.0**-24]), torch.tensor([2.0**-24])]
    exact = (1 + 2 * 2.0**-24) / 3
    assert average_tensors(values).item() == torch.tensor(exact, dtype=torch.float32).item()


def _average(candidates: AverageCandidates, steps: list[int]) -> dict[str, Tensor]:
    return candidates.average_weights(steps, torch.device("cpu"))
