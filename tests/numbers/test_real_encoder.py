"""The real pre-trained encoder in a complete run of a few steps."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from tests.worker.training.pooled_models import make_pair_spec
from tests.worker.training.runs import (
    TrainedRun,
    make_recipe,
    make_review_rows,
    make_spec,
    write_tsv,
)
from tests.worker.training.test_pooled_runs import check_published_folder


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


@pytest.mark.real_encoder
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_fitted_head_on_separate_pairs_with_the_real_encoder(
    precision: str, tmp_path: Path
) -> None:
    base = Catalogue().get_folder(OFFLINE_ENCODER)
    losses = {}
    for head_first in (False, True):
        settings: dict[str, object] = {
            "head_first": head_first,
            "precision": precision,
            "reinit_layers": 0,
            "learning_rate": 1e-6,
            "max_steps": 2,
            "eval_points": 1,
        }
        spec = make_pair_spec(
            tmp_path,
            base,
            pooling="mean",
            pair_encoding="separate",
            recipe=settings,
            training_file=write_tsv(tmp_path / "pairs.tsv", make_review_rows(120, pairs=True)),
        )
        run = TrainedRun(spec)
        check_published_folder(run)
        losses[head_first] = run.finished.validation.loss
    # two steps at a low rate leave a drawn head at chance; the fitted one knows the words
    assert losses[False] == pytest.approx(0.69, abs=0.1)
    assert losses[True] < 0.8 * losses[False]
