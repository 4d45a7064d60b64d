"""The recipe: every setting that decides a run's weights, as a frozen, bounded, versioned value.

``RecipeRequest`` is what a caller asks for, ``Recipe`` the same with a value for everything, ``resolve`` the way from one to the
other. Sources: Zhang, Wu, Katiyar, Weinberger, Artzi, *Revisiting Few-sample BERT Fine-tuning*, ICLR 2021 (section numbers below);
Devlin et al. 2019 for the conventional settings.
"""

import math
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.catalogue import EncoderFacts
from shared.errors import InvalidValue

Auto = Literal["auto"]
Preset = Literal["stabilized", "conventional", "debiased", "reinit", "longer"]

LearningRate = Annotated[
    float, Field(gt=0, le=1e-2, description="Peak rate, reached at the end of the warm-up and then decayed to zero.")
]
BiasCorrection = Annotated[
    bool,
    Field(
        description="true: AdamW as published (torch.optim.AdamW). false: BERTAdam, which leaves Adam's bias correction out and so "
        "takes steps up to 6.6 times too large in the first few hundred (section 4 of the paper); kept as the control."
    ),
]
Beta = Annotated[
    float, Field(ge=0, lt=1, description="Decay of Adam's running mean of gradients (1) or of their squares (2).")
]
Epsilon = Annotated[float, Field(gt=0, le=1e-2, description="Added to the root of the second moment.")]
WeightDecay = Annotated[
    float, Field(ge=0, le=1, description="Decoupled weight decay; bias and normalisation parameters take none.")
]
MaxGradNorm = Annotated[
    float,
    Field(ge=0, le=1e6, description="The gradient's norm over all parameters is clipped to this; 0 does not clip."),
]
WarmupRatio = Annotated[
    float, Field(ge=0, le=1, description="Share of the steps over which the rate rises from zero, rounded up.")
]
Epochs = Annotated[float, Field(gt=0, le=1000, description="Passes over the training rows; give this or max_steps.")]
MAX_STEPS = 1_000_000
MaxSteps = Annotated[
    int, Field(ge=1, le=MAX_STEPS, description="Optimiser steps of a run; give this or num_train_epochs.")
]
BatchSize = Annotated[
    int, Field(ge=1, le=1024, description="Rows a step; the last, smaller batch of an epoch is kept.")
]
ReinitPooler = Annotated[
    bool, Field(description="Draw the pooler afresh instead of taking the pre-trained one (section 5 of the paper).")
]
ReinitLayers = Annotated[
    int, Field(ge=0, le=96, description="Draw the top so many transformer blocks afresh (section 5 of the paper).")
]
EvalPoints = Annotated[
    int, Field(ge=1, le=1000, description="Evaluations, evenly spaced over a run; the i-th of k at step ceil(i·T/k).")
]
Select = Annotated[
    Literal["best_checkpoint", "last"],
    Field(description="Keep the weights of the best evaluation (a tie keeps the earlier), or those of the last step."),
]


class RecipeRequest(BaseModel):
    """A preset and what should differ from it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    preset: Preset = "stabilized"
    learning_rate: LearningRate | Auto | None = None
    bias_correction: BiasCorrection | None = None
    adam_beta1: Beta | None = None
    adam_beta2: Beta | None = None
    adam_epsilon: Epsilon | None = None
    weight_decay: WeightDecay | None = None
    max_grad_norm: MaxGradNorm | None = None
    warmup_ratio: WarmupRatio | None = None
    num_train_epochs: Epochs | Auto | None = None
    max_steps: MaxSteps | Auto | None = None
    train_batch_size: BatchSize | None = None
    reinit_pooler: ReinitPooler | None = None
    reinit_layers: ReinitLayers | Auto | None = None
    eval_points: EvalPoints | None = None
    select: Select | None = None

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.num_train_epochs is not None and self.max_steps is not None:
            raise ValueError("give num_train_epochs or max_steps, not both")
        return self


class Recipe(BaseModel):
    """A recipe with a value for everything: with the data, the model and a run's seeds it determines the weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    version: Literal[1] = 1
    preset: Preset
    optimizer: Literal["adamw"] = "adamw"
    learning_rate: LearningRate
    bias_correction: BiasCorrection
    adam_beta1: Beta = 0.9
    adam_beta2: Beta = 0.999
    adam_epsilon: Epsilon = 1e-8
    weight_decay: WeightDecay = 0.0
    max_grad_norm: MaxGradNorm = 1.0
    warmup_ratio: WarmupRatio = 0.1
    lr_scheduler_type: Literal["linear"] = "linear"
    num_train_epochs: float | None
    """As asked for; null when the length was given, or chosen, in steps."""
    max_steps: MaxSteps
    train_batch_size: BatchSize = 32
    reinit_pooler: ReinitPooler
    reinit_layers: ReinitLayers
    eval_points: EvalPoints = 10
    select: Select = "best_checkpoint"
    precision: Literal["float32"] = "float32"
    """Arithmetic of the training."""

    @property
    def warmup_steps(self) -> int:
        """Rounded up, as ``transformers.Trainer`` rounds."""
        return math.ceil(self.max_steps * self.warmup_ratio)


PRESETS: dict[Preset, dict[str, Any]] = {
    # bias correction, long enough, fresh top: what the paper's three remedies come to
    "stabilized": {"bias_correction": True, "reinit_pooler": True, "reinit_layers": "auto", "max_steps": "auto"},
    # the control: fine-tuning as in 2019
    "conventional": {"bias_correction": False, "reinit_pooler": False, "reinit_layers": 0, "num_train_epochs": 3.0},
    # the control with one remedy at a time
    "debiased": {"bias_correction": True, "reinit_pooler": False, "reinit_layers": 0, "num_train_epochs": 3.0},
    "reinit": {"bias_correction": True, "reinit_pooler": True, "reinit_layers": "auto", "num_train_epochs": 3.0},
    "longer": {"bias_correction": True, "reinit_pooler": False, "reinit_layers": 0, "max_steps": "auto"},
}

PAPER_RATE, PAPER_WIDTH = 2e-5, 1024  # BERT-large, the paper's baseline
LONG_EPOCHS, LONG_MIN_STEPS, LONG_MAX_STEPS, CONVENTIONAL_EPOCHS = 10, 320, 1600, 3


class Resolution(NamedTuple):
    recipe: Recipe
    notes: dict[str, str]
    """Why each automatic value is what it is, a sentence a field."""


def resolve(request: RecipeRequest, facts: EncoderFacts, train_rows: int) -> Resolution:
    """Give every setting a value for this encoder and this number of training rows.

    Raises InvalidValue when a setting does not fit the encoder (more blocks to re-initialise than it has), or when the length in
    epochs comes to more steps than a run may have.
    """
    asked = request.model_dump(exclude_none=True)
    values = {**PRESETS[request.preset], **asked}
    if "max_steps" in asked:
        values.pop("num_train_epochs", None)
    if "num_train_epochs" in asked:
        values.pop("max_steps", None)
    notes: dict[str, str] = {}
    values.setdefault("learning_rate", "auto")
    if values["learning_rate"] == "auto":
        values["learning_rate"], notes["learning_rate"] = _auto_rate(facts)
    if values["reinit_layers"] == "auto":
        values["reinit_layers"], notes["reinit_layers"] = _auto_reinit(facts)
    if values["reinit_layers"] > facts.num_hidden_layers:
        raise InvalidValue(
            f"recipe.reinit_layers is {values['reinit_layers']}, but {facts.name} has {facts.num_hidden_layers} blocks.",
            param="recipe.reinit_layers",
        )
    values.update(_length(values, train_rows, notes))
    return Resolution(Recipe(**values), notes)


def _auto_rate(facts: EncoderFacts) -> tuple[float, str]:
    """The paper's rate for BERT-large, scaled inversely with the width, as Adam's best rate does (Yang et al. 2021, table 3)."""
    rate = float(f"{PAPER_RATE * PAPER_WIDTH / facts.hidden_size:.2g}")
    return rate, (
        f"{rate:g}: the paper's {PAPER_RATE:g} for BERT-large (width {PAPER_WIDTH}), scaled inversely with the width "
        f"{facts.hidden_size} of {facts.name}; the same under every preset."
    )


def _auto_reinit(facts: EncoderFacts) -> tuple[int, str]:
    """A sixth of the blocks: 4 of BERT-large's 24, within the paper's good range of 1 to 6."""
    depth = max(1, round(facts.num_hidden_layers / 6))
    return depth, f"{depth}: a sixth of the {facts.num_hidden_layers} blocks of {facts.name}."


def _length(values: dict[str, Any], train_rows: int, notes: dict[str, str]) -> dict[str, Any]:
    """Steps from whichever of the two lengths is given; ``Trainer`` rounds epochs to steps the same way (upwards)."""
    per_epoch = math.ceil(train_rows / values.get("train_batch_size", Recipe.model_fields["train_batch_size"].default))
    epochs, steps = values.get("num_train_epochs"), values.get("max_steps")
    if epochs != "auto" and epochs is not None:
        return {"num_train_epochs": epochs, "max_steps": _bounded(max(1, math.ceil(epochs * per_epoch)))}
    if steps != "auto" and steps is not None:
        return {"num_train_epochs": None, "max_steps": steps}
    wanted = _bounded(
        min(max(LONG_EPOCHS * per_epoch, LONG_MIN_STEPS), max(LONG_MAX_STEPS, CONVENTIONAL_EPOCHS * per_epoch))
    )
    notes["max_steps"] = (
        f"{wanted}: {LONG_EPOCHS} epochs of {per_epoch} steps, but at least {LONG_MIN_STEPS} steps (small sets need steps, not "
        f"epochs) and at most the larger of {LONG_MAX_STEPS} steps and {CONVENTIONAL_EPOCHS} epochs."
    )
    return {"num_train_epochs": None, "max_steps": wanted}


def _bounded(steps: int) -> int:
    if steps > MAX_STEPS:
        raise InvalidValue(
            f"The epochs come to {steps:,} steps on these rows; a run has at most {MAX_STEPS:,}. "
            "Give fewer epochs, recipe.max_steps, or a larger recipe.train_batch_size.",
            param="recipe.num_train_epochs",
        )
    return steps
