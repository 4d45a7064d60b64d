"""Seeds that are trained side by side come to what they come to by themselves, up to rounding."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from shared.domain.task import SplitRequest, TaskType
from shared.encoders.families import FAMILIES
from tests.encoders import ENCODERS
from tests.worker.training.multi_seed.stacks import Together, make_specs
from tests.worker.training.runs import make_recipe, make_review_rows, make_task, write_tsv
from worker.training.spec import RunSpec

CLOSE = 1e-4
STEPS = 50


def weights_of(spec: RunSpec) -> dict[str, Tensor]:
    return load_file(spec.output / "model" / "model.safetensors")


def assert_alike(
    folder: Path, base: Path, *, count: int = 3, close: float = CLOSE, **changes: Any
) -> None:
    """Losses, norms, scores, evidence and the exported weights of each run."""
    single, stacked = (make_specs(folder, base, count, **changes) for _ in range(2))
    apart, together = Together(single).train(width=1), Together(stacked).train(width=count)
    for one, other in zip(single, stacked, strict=True):
        name = one.run_id
        kinds = [[type(told) for told in side.told[name]] for side in (apart, together)]
        assert kinds[0] == kinds[1]
        for mine, expected in zip(together.steps(name), apart.steps(name), strict=True):
            assert (mine.step, mine.learning_rate) == (expected.step, expected.learning_rate)
            assert mine.train_loss == pytest.approx(expected.train_loss, abs=close)
            assert mine.grad_norm == pytest.approx(expected.grad_norm, rel=close, abs=close)
            assert mine.part_grad_norms == pytest.approx(
                expected.part_grad_norms, rel=close, abs=close
            )
        for ours, theirs in zip(together.evaluations(name), apart.evaluations(name), strict=True):
            assert ours.valid_loss == pytest.approx(theirs.valid_loss, abs=close)
            assert ours.score == pytest.approx(theirs.score, abs=close)
        evidence, its = together.finished(name).evidence, apart.finished(name).evidence
        assert evidence.distance == pytest.approx(its.distance, rel=10 * close, abs=close)
        assert together.finished(name).trained_tokens == apart.finished(name).trained_tokens
        trained, alone = weights_of(other), weights_of(one)
        assert trained.keys() == alone.keys()
        assert max(float((trained[key] - alone[key]).abs().max()) for key in alone) < close


FLAT = sorted(family for family in ENCODERS if family in FAMILIES and FAMILIES[family].padding_free)


@pytest.mark.parametrize(
    ("family", "steps"),
    [
        ("bert", STEPS),
        *((family, 6) for family in FLAT if family != "bert"),
        *(pytest.param(family, STEPS, marks=pytest.mark.long) for family in FLAT),
    ],
)
def test_losses_norms_and_weights_of_every_family(family: str, steps: int, tmp_path: Path) -> None:
    base = ENCODERS[family](tmp_path / family, dropout=0.0)
    assert_alike(tmp_path, base, count=2, recipe=make_recipe(max_steps=steps, learning_rate=1e-3))


RECIPES: dict[str, dict[str, Any]] = {
    "without bias correction, weight decay, the last weights, no clipping": {
        "bias_correction": False,
        "weight_decay": 0.1,
        "learning_rate": 1e-4,
        "select": "last",
        "max_grad_norm": 0.0,
    },
    "rates by layer, decay toward the start, clipping each seed by its own norm": {
        "layerwise_learning_rate_decay": 0.8,
        "pretrained_weight_decay": 0.2,
        "max_grad_norm": 0.5,
    },
    "the pooler drawn afresh, balanced classes": {
        "reinit_pooler": True,
        "class_weights": "balanced",
    },
}


@pytest.mark.parametrize("changes", RECIPES.values(), ids=RECIPES.keys())
def test_every_switch_of_the_recipe(
    changes: dict[str, Any], tmp_path: Path, smooth_bert: Path
) -> None:
    recipe = make_recipe(**{"max_steps": 8, "learning_rate": 1e-3} | changes)
    assert_alike(
        tmp_path,
        smooth_bert,
        count=2,
        recipe=recipe,
        split=SplitRequest(validation_fraction=0.3, test_fraction=0.1),
    )


@pytest.mark.parametrize("kind", [TaskType.MULTI_LABEL, TaskType.REGRESSION])
def test_every_kind_of_task(kind: TaskType, tmp_path: Path, smooth_bert: Path) -> None:
    told = (
        {"yes": "1.5", "no": "-2"}
        if kind is TaskType.REGRESSION
        else {"yes": "yes|long", "no": "no"}
    )
    header, *rows = make_review_rows(40)
    file = write_tsv(
        tmp_path / "other.tsv", [header, *((text, told[label]) for text, label in rows)]
    )
    names = [] if kind is TaskType.REGRESSION else ["long", "no", "yes"]
    task = make_task(type=kind, label_names=names, positive_label=None)
    metric = "pearson" if kind is TaskType.REGRESSION else "f1_micro"
    recipe = make_recipe(max_steps=8, learning_rate=1e-3)
    assert_alike(
        tmp_path, smooth_bert, count=2, recipe=recipe, task=task, training_file=file, metric=metric
    )


def test_bfloat16_differs_by_its_rounding(tmp_path: Path, smooth_bert: Path) -> None:
    recipe = make_recipe(max_steps=8, learning_rate=1e-3, precision="bfloat16")
    assert_alike(tmp_path, smooth_bert, count=2, close=0.05, recipe=recipe)


def test_seeds_differ_from_each_other(tmp_path: Path, smooth_bert: Path) -> None:
    specs = make_specs(tmp_path, smooth_bert, 3)
    Together(specs).train(width=3)
    heads = [weights_of(spec)["classifier.weight"] for spec in specs]
    assert not any(torch.allclose(one, other) for one, other in pairwise(heads))
