"""The recipe as a value, requested and resolved: frozen and versioned."""

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.domain.stored import StoredModel
from shared.recipe.fields import (
    DEFAULT_BATCH_SIZE,
    Auto,
    BatchSize,
    Beta,
    BiasCorrection,
    ClassWeights,
    Epochs,
    Epsilon,
    EvalPoints,
    HeadFirst,
    LayerwiseDecay,
    LearningRate,
    MaxGradNorm,
    MaxSteps,
    Mixout,
    PairEncoding,
    Pooling,
    Precision,
    Preset,
    PretrainedWeightDecay,
    ReinitLayers,
    ReinitPooler,
    Select,
    WarmupRatio,
    WeightDecay,
)
from shared.recipe.schedule import list_evaluation_steps


class RecipeRequest(BaseModel):
    """A preset and the settings that should differ from it."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    preset: Preset = "stabilized"
    """Preset of every setting that is not given here."""
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
    layerwise_learning_rate_decay: LayerwiseDecay | None = None
    pretrained_weight_decay: PretrainedWeightDecay | None = None
    mixout: Mixout | None = None
    pooling: Pooling | Auto | None = None
    pair_encoding: PairEncoding | Auto | None = None
    head_first: Auto | HeadFirst | None = None
    class_weights: ClassWeights | None = None
    eval_points: EvalPoints | None = None
    select: Select | None = None
    precision: Precision | Auto | None = None

    @model_validator(mode="after")
    def _require_one_length(self) -> Self:
        if self.num_train_epochs is not None and self.max_steps is not None:
            raise ValueError("set num_train_epochs or max_steps, not both")
        return self


class Recipe(BaseModel):
    """A recipe with a value for every setting.

    Together with the data, the model and a run's seeds it determines the weights.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    version: Literal[1] = 1
    """Version of this list of settings."""
    preset: Preset
    """Preset that the recipe started from."""
    optimizer: Literal["adamw"] = "adamw"
    """The optimizer; AdamW is the only one."""
    learning_rate: LearningRate
    bias_correction: BiasCorrection
    adam_beta1: Beta = 0.9
    adam_beta2: Beta = 0.999
    adam_epsilon: Epsilon = 1e-8
    weight_decay: WeightDecay = 0.0
    max_grad_norm: MaxGradNorm = 1.0
    warmup_ratio: WarmupRatio = 0.1
    lr_scheduler_type: Literal["linear"] = "linear"
    """Learning-rate schedule after the warm-up: linear decay to zero."""
    num_train_epochs: float | None
    """Requested epochs; null if the length was given or chosen in steps."""
    max_steps: MaxSteps
    train_batch_size: BatchSize = DEFAULT_BATCH_SIZE
    reinit_pooler: ReinitPooler
    reinit_layers: ReinitLayers
    layerwise_learning_rate_decay: LayerwiseDecay = 1.0
    pretrained_weight_decay: PretrainedWeightDecay = 0.0
    mixout: Mixout = 0.0
    pooling: Pooling = "family"  # recipes stored before there was a choice used it
    pair_encoding: PairEncoding = "joined"  # likewise
    head_first: HeadFirst = False  # likewise
    class_weights: ClassWeights = "none"
    eval_points: EvalPoints = 10
    select: Select = "best_checkpoint"
    precision: Precision = "float32"  # recipes stored before there was a choice used it

    @property
    def warmup_steps(self) -> int:
        """Steps of the warm-up, rounded up as in ``transformers.Trainer``."""
        return math.ceil(self.max_steps * self.warmup_ratio)

    @property
    def checkpoint_steps(self) -> list[int]:
        """Steps after which the weights are evaluated and may be chosen, ascending.

        With ``head_first`` they begin with step 1, whose rate is zero under a warm-up: training has
        to do better than the fitted head alone.
        """
        steps = list_evaluation_steps(self.max_steps, self.eval_points)
        return sorted({1, *steps}) if self.head_first else steps


class ForeignRecipe(StoredModel):
    """A resolved recipe that another version stored, with settings unknown to this version."""

    preset: str = "stabilized"
    max_steps: int
    train_batch_size: int = DEFAULT_BATCH_SIZE
    reinit_layers: int | list[int] = 0
    precision: str = "float32"


StoredRecipe = Annotated[Recipe | ForeignRecipe, Field(union_mode="left_to_right")]
"""A resolved recipe as in ``Job.resolved_recipe`` and ``Run.recipe``."""
