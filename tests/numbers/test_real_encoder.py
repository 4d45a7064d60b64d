"""The real pre-trained encoder in a complete run of a few steps."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from tests.worker.training.runs import TrainedRun, make_recipe, make_spec


@pytest.mark.real_encoder
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_few_steps_on_the_real_encoder(precision: str, tmp_path: Path) -> None:
    base = Catalogue().get_folder(OFFLINE_ENCODER)
    recipe = make_recipe(
        learning_rate=2e-4,
        max_steps=12,
        train_batch_size=16,
        reinit_layers=2,
        reinit_pooler=True,
        eval_points=2,
        precision=precision,
    )
    run = TrainedRun(make_spec(tmp_path, base, recipe=recipe))
    assert len(run.steps) == 12
    assert [evaluation.step for evaluation in run.evaluations] == [6, 12]
    assert run.losses[-1] < 0.6 < run.losses[0]
    # one word of each row decides its label
    assert (run.evaluations[-1].metrics["accuracy"] or 0.0) > 0.7
    assert not run.finished.degenerate

    original = load_file(base / "model.safetensors")
    trained = load_file(run.spec.output / "model" / "model.safetensors")

    def measure_distance(name: str) -> float:
        """Return the distance from the checkpoint relative to the tensor's norm there."""
        return float((trained[f"bert.{name}"] - original[name]).norm() / original[name].norm())

    # block 4 is the lower of the two re-initialized blocks
    assert measure_distance("encoder.layer.4.attention.self.query.weight") > 0.5
    assert 0 < measure_distance("encoder.layer.3.attention.self.query.weight") < 0.1
    # token 29000 occurs in no row
    unused = trained["bert.embeddings.word_embeddings.weight"][29000]
    assert torch.equal(unused, original["embeddings.word_embeddings.weight"][29000])
