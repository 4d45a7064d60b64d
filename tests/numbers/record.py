"""The loss curves that ``test_recorded_curves.py`` holds every change against; ``python -m tests.numbers.record`` writes them anew.

A change that shifts a curve is a change of the recipe: it must say so in its diff, by the new file.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.encoders import bert_folder, roberta_folder
from tests.worker.training.runs import Trained, make_recipe, make_spec

RECORDED = Path(__file__).parent / "recorded" / "curves.json"
BUILDERS = {"bert": bert_folder, "roberta": roberta_folder}
RECIPES: dict[str, dict[str, Any]] = {
    "stabilized": {"bias_correction": True, "reinit_pooler": True, "reinit_layers": 1},
    "conventional": {"bias_correction": False, "reinit_pooler": False, "reinit_layers": 0},
}
NAMES = [f"{family}-{recipe}-seed-{seed}" for family in BUILDERS for recipe in RECIPES for seed in (0, 1)]


def curve(name: str, folder: Path) -> dict[str, list[float]]:
    """Training losses, gradient norms and validation losses of one of ``NAMES``."""
    family, recipe, _, seed = name.split("-")
    spec = make_spec(
        folder,
        BUILDERS[family](folder / family),
        recipe=make_recipe(learning_rate=1e-3, max_steps=16, **RECIPES[recipe]),
        init_seed=int(seed),
        data_seed=int(seed),
    )
    run = Trained(spec)
    return {
        "train_loss": run.losses,
        "grad_norm": [step.grad_norm for step in run.steps],
        "valid_loss": [evaluation.valid_loss for evaluation in run.evaluations],
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        curves = {name: curve(name, Path(folder) / name) for name in NAMES}
    RECORDED.parent.mkdir(exist_ok=True)
    RECORDED.write_text(json.dumps(curves, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
