"""The reason that is stored with a failed run: a code and a sentence."""

import pytest
import torch
from pydantic import ValidationError
from safetensors import SafetensorError

from shared.domain.errors import InvalidValue
from worker.trainer.reporting import to_reason
from worker.training.errors import TrainingDiverged
from worker.training.spec import RunSpec


@pytest.mark.parametrize(
    ("problem", "code", "said"),
    [
        (
            InvalidValue("The file has no column with this name.", param="training_file"),
            "invalid_value",
            "no column with this name",
        ),
        (TrainingDiverged("at step 7", float("nan"), 1.0), "nan_loss", "step 7"),
        (MemoryError(), "out_of_memory", "train_batch_size"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory", "train_batch_size"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            "out_of_memory",
            "train_batch_size",
        ),
        (OSError(28, "No space left on device"), "disk_full", "The worker's disk is full."),
        (
            SafetensorError("I/O error: No space left on device (os error 28)"),
            "disk_full",
            "The worker's disk is full.",
        ),
        (PermissionError(13, "Permission denied"), "disk_error", "PermissionError"),
        (RuntimeError("something else"), "internal_error", "RuntimeError: something else"),
    ],
)
def test_every_failure_has_a_code_and_a_sentence(problem: Exception, code: str, said: str) -> None:
    reason = to_reason(problem)
    assert reason.code == code
    assert said in reason.message


def test_a_real_allocation_failure_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert to_reason(caught.value).code == "out_of_memory"


def test_a_spec_of_another_version_is_reported_with_its_fields() -> None:
    with pytest.raises(ValidationError) as caught:
        RunSpec.model_validate({"run_id": "ftrun-1"})
    assert "base_model" in to_reason(caught.value).message
