"""Named recipes: the stabilised one, the control, one remedy at a time, and the methods the
paper measures against.
"""

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
    "stabilized": {
        "bias_correction": True,
        "reinit_pooler": True,
        "reinit_layers": "auto",
        "max_steps": "auto",
    },
    # the control: fine-tuning as in 2019
    "conventional": {
        "bias_correction": False,
        "reinit_pooler": False,
        "reinit_layers": 0,
        "num_train_epochs": 3.0,
    },
    # the control with one remedy at a time
    "debiased": _DEBIASED,
    "reinit": {
        "bias_correction": True,
        "reinit_pooler": True,
        "reinit_layers": "auto",
        "num_train_epochs": 3.0,
    },
    "longer": {
        "bias_correction": True,
        "reinit_pooler": False,
        "reinit_layers": 0,
        "max_steps": "auto",
    },
    # the methods the paper measures against, each at the setting of its authors' sample
    # commands, else as `debiased`
    "llrd": {**_DEBIASED, "layerwise_learning_rate_decay": 0.95},
    "mixout": {**_DEBIASED, "mixout": 0.1},
    "pretrained_weight_decay": {**_DEBIASED, "pretrained_weight_decay": 1e-3},
}

PRESET_DESCRIPTIONS: dict[Preset, str] = {
    "stabilized": (
        "Bias correction, enough steps, and the pooler and the top blocks drawn "
        "afresh; pilots find depth and length out."
    ),
    "conventional": (
        "The control: fine-tuning as in 2019, three epochs without Adam's bias correction."
    ),
    "debiased": "The control with bias correction alone.",
    "reinit": "The control with bias correction, and the pooler and the top blocks drawn afresh.",
    "longer": "The control with bias correction and enough steps.",
    "llrd": (
        "The control with bias correction and layer-wise decay of the learning rate "
        "(Howard & Ruder 2018)."
    ),
    "mixout": "The control with bias correction and mixout (Lee et al. 2020).",
    "pretrained_weight_decay": (
        "The control with bias correction and decay toward the pre-trained weights."
    ),
}
