"""Named recipes: the stabilized one, the control, single remedies, and the paper's rivals.

CONTRIBUTING.md ("Add a preset") lists every place that a new preset needs.
"""

from shared.recipe.fields import Preset

_DEBIASED: dict[str, object] = {
    "bias_correction": True,
    "reinit_pooler": False,
    "reinit_layers": 0,
    "num_train_epochs": 3.0,
}

PRESETS: dict[Preset, dict[str, object]] = {
    # the paper's three remedies: bias correction, enough steps, re-initialized top blocks; and the
    # head and the learning rate that suit the data
    "stabilized": {
        "bias_correction": True,
        "pair_encoding": "auto",
        "pooling": "auto",
        "head_first": "auto",
        "reinit_pooler": True,
        "learning_rate": "auto",
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
    # methods the paper compares with, at the settings of its sample commands, else as `debiased`
    "llrd": {**_DEBIASED, "layerwise_learning_rate_decay": 0.95},
    "mixout": {**_DEBIASED, "mixout": 0.1},
    "pretrained_weight_decay": {**_DEBIASED, "pretrained_weight_decay": 1e-3},
}

PRESET_DESCRIPTIONS: dict[Preset, str] = {
    "stabilized": "Bias correction, enough steps, and a re-initialized pooler and top blocks; "
    "pilots search the head, the depth, the learning rate and the length.",
    "conventional": "The control: fine-tuning as in 2019, three epochs without Adam's bias "
    "correction.",
    "debiased": "The control with bias correction.",
    "reinit": "The control with bias correction and a re-initialized pooler and top blocks.",
    "longer": "The control with bias correction and enough steps.",
    "llrd": "The control with bias correction and layer-wise learning-rate decay (Howard & Ruder "
    "2018).",
    "mixout": "The control with bias correction and mixout (Lee et al. 2020).",
    "pretrained_weight_decay": "The control with bias correction and weight decay toward the "
    "pre-trained weights.",
}
