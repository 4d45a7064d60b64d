"""The settings of a recipe: type, bounds, unit and source of each. The descriptions are the
OpenAPI text.

Sections are those of Zhang, Wu, Katiyar, Weinberger, Artzi, *Revisiting Few-sample BERT
Fine-tuning*, ICLR 2021.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

Auto = Literal["auto"]
Preset = Literal[
    "stabilized",
    "conventional",
    "debiased",
    "reinit",
    "longer",
    "llrd",
    "mixout",
    "pretrained_weight_decay",
]

LearningRate = Annotated[
    float,
    Field(
        gt=0,
        le=1e-2,
        description="Peak rate, reached at the end of the warm-up and then decayed to zero.",
    ),
]
BiasCorrection = Annotated[
    bool,
    Field(
        description="true: AdamW as published (torch.optim.AdamW). false: BERTAdam, which "
        "leaves Adam's bias correction out and so "
        "takes steps up to 6.6 times too large in the first few hundred (section 4 of the "
        "paper); kept as the control."
    ),
]
Beta = Annotated[
    float,
    Field(
        ge=0,
        lt=1,
        description="Decay of Adam's running mean of gradients (1) or of their squares (2).",
    ),
]
Epsilon = Annotated[
    float, Field(gt=0, le=1e-2, description="Added to the root of the second moment.")
]
WeightDecay = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Decoupled weight decay; bias and normalisation parameters take none.",
    ),
]
MaxGradNorm = Annotated[
    float,
    Field(
        ge=0,
        le=1e6,
        description="The gradient's norm over all parameters is clipped to this; 0 does not clip.",
    ),
]
WarmupRatio = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Share of the steps over which the rate rises from zero, rounded up.",
    ),
]
Epochs = Annotated[
    float,
    Field(gt=0, le=1000, description="Passes over the training rows; give this or max_steps."),
]
MAX_STEPS = 1_000_000
MaxSteps = Annotated[
    int,
    Field(
        ge=1, le=MAX_STEPS, description="Optimiser steps of a run; give this or num_train_epochs."
    ),
]
BatchSize = Annotated[
    int,
    Field(ge=1, le=1024, description="Rows a step; the last, smaller batch of an epoch is kept."),
]
ReinitPooler = Annotated[
    bool,
    Field(
        description=(
            "Draw the pooler afresh instead of taking the pre-trained one (section 5 of the paper)."
        )
    ),
]
ReinitDepth = Annotated[int, Field(ge=0, le=96)]
BlockIndex = Annotated[int, Field(ge=0, lt=96)]
ReinitLayers = Annotated[
    ReinitDepth | Annotated[list[BlockIndex], Field(min_length=1, max_length=96)],
    Field(
        description="Draw the top so many transformer blocks afresh (section 5 of the "
        "paper); or the blocks of a list, counted from 0 "
        "at the bottom."
    ),
]
LayerwiseDecay = Annotated[
    float,
    Field(
        gt=0,
        le=1,
        description="ξ of layer-wise learning-rate decay (Howard & Ruder 2018): head and "
        "pooler train at the full rate, the top block at "
        "ξ times it, the next at ξ², …, the embeddings at ξ to the number of blocks plus "
        "one; 1 for one rate everywhere.",
    ),
]
PretrainedWeightDecay = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="λ of the decay toward the weights that training began with instead of "
        "toward zero (Lee et al. 2020); the new head "
        "decays to zero. 0 for none.",
    ),
]
Mixout = Annotated[
    float,
    Field(
        ge=0,
        lt=1,
        description="p of mixout (Lee et al. 2020): each weight of the encoder's Linear "
        "layers is its pre-trained value with this "
        "probability at each step; all dropout is off then. 0 for none.",
    ),
]
GivenWeights = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=256)],
        Annotated[float, Field(gt=0, le=1e6)],
    ],
    Field(min_length=1, max_length=5000),
]
ClassWeights = Annotated[
    Literal["none", "balanced"] | GivenWeights,
    Field(
        description="Weight of each label's rows in the loss: none, balanced (inversely "
        "proportional to its rows), or a weight a label "
        "name; labels left out weigh 1."
    ),
]
EvalPoints = Annotated[
    int,
    Field(
        ge=1,
        le=1000,
        description="Evaluations, evenly spaced over a run; the i-th of k at step ceil(i·T/k).",
    ),
]
Select = Annotated[
    Literal["best_checkpoint", "last"],
    Field(
        description=(
            "Keep the weights of the best evaluation (a tie keeps the earlier), or "
            "those of the last step."
        )
    ),
]
Precision = Annotated[
    Literal["float32", "bfloat16"],
    Field(
        description="Arithmetic of the training's passes. bfloat16: forward and backward in "
        "bfloat16, with weights, optimiser and the "
        "scores of the chosen checkpoint in float32; several times faster on processors "
        "that multiply it natively, and on GPUs."
    ),
]
