"""A published checkpoint of full size trains, exports and serves as transformers computes it.

It runs where ``EVENKEEL_TEST_CHECKPOINT`` names a folder (docs/model-folders.md: how to get one).
"""

import os
import resource
from pathlib import Path

import numpy as np
import pytest

from api.serving.classifier import Classifier
from shared.encoders.validation import check_model_folder
from shared.encoders.validation.memory import estimate_training_bytes
from tests.worker.training.runs import make_task
from tests.worker.training.served import compute_served_logits
from tests.worker.training.test_checkpoint_layouts import (
    LENGTH,
    TEXTS,
    compute_with_transformers,
    train_pairs,
)
from worker.training.data.tokenizer import load_tokenizer
from worker.training.model.encoder import load_encoder

FOLDER = os.environ.get("EVENKEEL_TEST_CHECKPOINT", "")

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not FOLDER, reason="EVENKEEL_TEST_CHECKPOINT names no folder"),
]


def test_a_checkpoint_trains_exports_and_serves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = Path(FOLDER)
    checked = check_model_folder(base, root=Path(base.anchor))
    run = train_pairs(tmp_path, base)
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    folder = run.spec.output / "model"
    served = Classifier(folder, max_seq_length=LENGTH, threads=1)
    logits = compute_served_logits(served, TEXTS)
    estimated_bytes = estimate_training_bytes(checked.num_parameters)
    difference = np.abs(logits - compute_with_transformers(folder, TEXTS)).max()
    with capsys.disabled():
        print(  # noqa: T201 (figures for docs/model-folders.md)
            f"\n{base.name}: {checked.num_parameters:,} parameters, estimated "
            f"{estimated_bytes / 1e9:.2f} GB, peak {peak_bytes / 1e9:.2f} GB, losses "
            f"{[round(step.train_loss, 4) for step in run.steps]}, served within {difference:.1e}"
        )
    assert difference <= 1e-4
    assert check_model_folder(folder).family == checked.family


def test_its_encoder_is_the_one_that_transformers_loads() -> None:
    from transformers import AutoModel

    base = Path(FOLDER)
    network = load_encoder(base, make_task(), 0)
    expected = AutoModel.from_pretrained(base).eval()
    inputs = load_tokenizer(base)(["a small text", "two"], padding=True, return_tensors="pt")
    found = network.base_model.eval()(**inputs).last_hidden_state
    np.testing.assert_allclose(
        found.detach().numpy(),
        expected(**inputs).last_hidden_state.detach().numpy(),
        atol=1e-6,
    )
