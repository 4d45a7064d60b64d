"""Recorder of the loss curves that ``test_recorded_curves.py`` compares with.

``python -m tests.numbers.record`` records them anew. A change that shifts a curve changes the
recipe, and its diff must show the new file.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from shared.encoders.families import FAMILIES
from tests.encoders import ENCODERS
from tests.worker.training.pooled_models import make_pair_spec
from tests.worker.training.runs import TrainedRun, make_recipe, make_spec

RECORDED = Path(__file__).parent / "recorded" / "curves.json"
STEPS = 10
SEEDS = {"bert": (0, 1)}
RECIPES: dict[str, dict[str, object]] = {
    "stabilized": {"bias_correction": True, "reinit_layers": 1},
    "conventional": {"bias_correction": False, "reinit_layers": 0},
    # the methods that the paper compares with, all at once
    "methods": {
        "reinit_layers": 0,
        "layerwise_learning_rate_decay": 0.7,
        "pretrained_weight_decay": 0.5,
        "mixout": 0.2,
        "weight_decay": 0.1,
    },
    "mean": {"pooling": "mean"},
    "separate": {"pooling": "mean", "pair_encoding": "separate"},  # with pairs of texts
    "aligned": {"pooling": "mean", "pair_encoding": "aligned"},  # likewise
    "head_first": {"head_first": True},
}
NAMES = [
    f"{family} {recipe} seed {seed}"
    for family in ENCODERS
    for recipe in RECIPES
    for seed in SEEDS.get(family, (0,))
]


def train_curve(name: str, folder: Path) -> dict[str, list[float]]:
    """Train one of ``NAMES`` and return its losses, gradient norms and validation losses."""
    encoder, recipe, _, seed_text = name.split()
    seed = int(seed_text)
    family = "deberta-v2" if encoder == "deberta-v3" else encoder
    settings = RECIPES[recipe] | {
        "reinit_pooler": recipe == "stabilized" and FAMILIES[family].pooler is not None
    }
    settings |= {"learning_rate": 1e-3, "max_steps": STEPS, "eval_points": 2}
    base = ENCODERS[encoder](folder / "base")
    seeds: dict[str, Any] = {"init_seed": seed, "data_seed": seed}
    if "pair_encoding" in settings:
        head: dict[str, Any] = {name: settings.pop(name) for name in ("pooling", "pair_encoding")}
        spec = make_pair_spec(folder, base, recipe=settings, **head, **seeds)
    else:
        spec = make_spec(folder, base, recipe=make_recipe(**settings), **seeds)
    run = TrainedRun(spec)
    return {
        "train_loss": run.losses,
        "grad_norm": [step.grad_norm for step in run.steps],
        "valid_loss": [evaluation.valid_loss for evaluation in run.evaluations],
    }


def main() -> None:
    """Record all curves."""
    with tempfile.TemporaryDirectory() as folder:
        curves = {name: train_curve(name, Path(folder) / name) for name in NAMES}
    RECORDED.parent.mkdir(exist_ok=True)
    RECORDED.write_text(json.dumps(curves, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
