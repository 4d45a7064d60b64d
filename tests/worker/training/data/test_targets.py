"""Labels become tensors of the type and shape of their task."""

import torch

from worker.training.data.targets import build_targets


def test_single_labels_are_indices() -> None:
    assert build_targets([2, 0], 3).tolist() == [2, 0]
    assert build_targets([2, 0], 3).dtype == torch.int64


def test_label_sets_are_multi_hot() -> None:
    assert build_targets([(0, 2), ()], 3).tolist() == [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]


def test_numbers_are_float32() -> None:
    assert build_targets([2.5, 1.0], 0).tolist() == [2.5, 1.0]
    assert build_targets([2.5, 1.0], 0).dtype == torch.float32
