"""Seeds trained side by side get the same results as alone, up to rounding."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from shared.domain.task import SplitRequest, TaskType
from shared.encoders.families import FAMILIES
from tests.encoders import ENCODERS
from tests.worker.training.multi_seed.stacks import TrainedRuns, make_specs
from tests.worker.training.runs import make_recipe, make_review_rows, make_task, write_tsv
from worker.training.spec import RunSpec

TOLERANCE = 1e-4
STEPS = 50


def load_exported_weights(spec: RunSpec) -> dict[str, Tensor]:
    return load_file(spec.output / "model" / "model.safetensors")


def assert_equivalent(
    folder: Path, base: Path, *, count: int = 3, tolerance: float = TOLERANCE, **changes: object
) -> None:
    """Compare losses, norms, scores, evidence and exported weights of each run."""
    single, stacked = (make_specs(folder, base, count, **changes) for _ in range(2))
    single_runs, stacked_runs = (
        TrainedRuns(single).train(stack_size=1),
        TrainedRuns(stacked).train(stack_size=count),
    )
    for one, other in zip(single, stacked, strict=True):
        name = one.run_id
        types = [[type(item) for item in side.items[name]] for side in (single_runs, stacked_runs)]
        assert types[0] == types[1]
        for step, expected in zip(
            stacked_runs.list_steps(name), single_runs.list_steps(name), strict=True
        ):
            assert (step.step, step.learning_rate) == (expected.step, expected.learning_rate)
            assert step.train_loss == pytest.approx(expected.train_loss, abs=tolerance)
            assert step.grad_norm == pytest.approx(expected.grad_norm, rel=tolerance, abs=tolerance)
            assert step.part_grad_norms == pytest.approx(
                expected.part_grad_norms, rel=tolerance, abs=tolerance
            )
        for ours, theirs in zip(
            stacked_runs.list_evaluations(name), single_runs.list_evaluations(name), strict=True
        ):
            assert ours.valid_loss == pytest.approx(theirs.valid_loss, abs=tolerance)
            assert ours.score == pytest.approx(theirs.score, abs=tolerance)
        evidence, expected_evidence = (
            stacked_runs.get_finished(name).evidence,
            single_runs.get_finished(name).evidence,
        )
        assert evidence.distance == pytest.approx(
            expected_evidence.distance, rel=10 * tolerance, abs=tolerance
        )
        assert (
            stacked_runs.get_finished(name).trained_tokens
            == single_runs.get_finished(name).trained_tokens
        )
        trained, alone = load_exported_weights(other), load_exported_weights(one)
        assert trained.keys() == alone.keys()
        assert max(float((trained[key] - alone[key]).abs().max()) for key in alone) < tolerance


PACKED_FAMILIES = sorted(
    family for family in ENCODERS if family in FAMILIES and FAMILIES[family].padding_free
)


@pytest.mark.parametrize(
    ("family", "steps"),
    [
        ("bert", STEPS),
        *((family, 6) for family in PACKED_FAMILIES if family != "bert"),
        *(pytest.param(family, STEPS, marks=pytest.mark.long) for family in PACKED_FAMILIES),
    ],
)
def test_losses_norms_and_weights_of_every_family(family: str, steps: int, tmp_path: Path) -> None:
    base = ENCODERS[family](tmp_path / family, dropout=0.0)
    assert_equivalent(
        tmp_path, base, count=2, recipe=make_recipe(max_steps=steps, learning_rate=1e-3)
    )


RECIPES: dict[str, dict[str, object]] = {
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
    "a re-initialized pooler, balanced classes": {
        "reinit_pooler": True,
        "class_weights": "balanced",
    },
}


@pytest.mark.parametrize("changes", RECIPES.values(), ids=RECIPES.keys())
def test_every_switch_of_the_recipe(
    changes: dict[str, object], tmp_path: Path, smooth_bert: Path
) -> None:
    recipe = make_recipe(**{"max_steps": 8, "learning_rate": 1e-3} | changes)
    assert_equivalent(
        tmp_path,
        smooth_bert,
        count=2,
        recipe=recipe,
        split=SplitRequest(validation_fraction=0.3, test_fraction=0.1),
    )


@pytest.mark.parametrize("task_type", [TaskType.MULTI_LABEL, TaskType.REGRESSION])
def test_every_task_type(task_type: TaskType, tmp_path: Path, smooth_bert: Path) -> None:
    label_of = (
        {"yes": "1.5", "no": "-2"}
        if task_type is TaskType.REGRESSION
        else {"yes": "yes|long", "no": "no"}
    )
    header, *rows = make_review_rows(40)
    file = write_tsv(
        tmp_path / "other.tsv", [header, *((text, label_of[label]) for text, label in rows)]
    )
    names = [] if task_type is TaskType.REGRESSION else ["long", "no", "yes"]
    task = make_task(type=task_type, label_names=names, positive_label=None)
    metric = "pearson" if task_type is TaskType.REGRESSION else "f1_micro"
    recipe = make_recipe(max_steps=8, learning_rate=1e-3)
    assert_equivalent(
        tmp_path, smooth_bert, count=2, recipe=recipe, task=task, training_file=file, metric=metric
    )


def test_bfloat16_differs_by_rounding(tmp_path: Path, smooth_bert: Path) -> None:
    recipe = make_recipe(max_steps=8, learning_rate=1e-3, precision="bfloat16")
    assert_equivalent(tmp_path, smooth_bert, count=2, tolerance=0.05, recipe=recipe)


def test_seeds_differ_from_each_other(tmp_path: Path, smooth_bert: Path) -> None:
    specs = make_specs(tmp_path, smooth_bert, 3)
    TrainedRuns(specs).train(stack_size=3)
    heads = [load_exported_weights(spec)["classifier.weight"] for spec in specs]
    assert not any(torch.allclose(one, other) for one, other in pairwise(heads))
