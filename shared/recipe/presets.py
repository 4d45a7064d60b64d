"""Named recipes: the stabilised one, the control, one remedy at a time, and the methods the paper measures against."""

from typing import Any

from shared.recipe.fields import Preset

_DEBIASED: dict[str, Any] = {
    "bias_correction": True,
    "reinit_pooler": False,
    "reinit_layers": 0,
    "num_train_epochs": 3.0,
}

PRESETS: dict[Preset, dict[str, Any]] = {
    # bias correction, long enough, fresh top: what the paper's three remedies come to
    "stabilized": {"bias_correction": True, "reinit_pooler": True, "reinit_layers": "auto", "max_steps": "auto"},
    # the control: fine-tuning as in 2019
    "conventional": {"bias_correction": False, "reinit_pooler": False, "reinit_layers": 0, "num_train_epochs": 3.0},
    # the control with one remedy at a time
    "debiased": _DEBIASED,
    "reinit": {"bias_correction": True, "reinit_pooler": True, "reinit_layers": "auto", "num_train_epochs": 3.0},
    "longer": {"bias_correction": True, "reinit_pooler": False, "reinit_layers": 0, "max_steps": "auto"},
    # the methods the paper measures against, each at the setting of its authors' sample commands, else as `debiased`
    "llrd": {**_DEBIASED, "layerwise_learning_rate_decay": 0.95},
    "mixout": {**_DEBIASED, "mixout": 0.1},
    "pretrained_weight_decay": {**_DEBIASED, "pretrained_weight_decay": 1e-3},
}
