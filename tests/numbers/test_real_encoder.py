"""The real pre-trained encoder through the whole run, a few steps long."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from tests.worker.training.runs import Trained, make_recipe, make_spec


@pytest.mark.real_encoder
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_few_steps_on_the_real_encoder(precision: str, tmp_path: Path) -> None:
    base = Catalogue().folder(OFFLINE_ENCODER)
    recipe = make_recipe(
        learning_rate=2e-4,
        max_steps=12,
        train_batch_size=16,
        reinit_layers=2,
        reinit_pooler=True,
        eval_points=2,
        precision=precision,
    )
    run = Trained(make_spec(tmp_path, base, recipe=recipe))
    assert len(run.steps) == 12
    assert [evaluation.step for evaluation in run.evaluations] == [6, 12]
    assert run.losses[-1] < 0.6 < run.losses[0]
    assert (
        run.evaluations[-1].metrics["accuracy"] or 0.0
    ) > 0.7  # one word of each row tells its label
    assert not run.finished.degenerate

    original = load_file(base / "model.safetensors")
    trained = load_file(run.spec.output / "model" / "model.safetensors")

    def moved(name: str) -> float:
        """Distance from the checkpoint, as a share of the tensor's own norm there."""
        return float((trained[f"bert.{name}"] - original[name]).norm() / original[name].norm())

    assert (
        moved("encoder.layer.4.attention.self.query.weight") > 0.5
    )  # the lower of the two blocks drawn afresh
    assert 0 < moved("encoder.layer.3.attention.self.query.weight") < 0.1
    unused = trained["bert.embeddings.word_embeddings.weight"][29000]  # its token occurs in no row
    assert torch.equal(unused, original["embeddings.word_embeddings.weight"][29000])
