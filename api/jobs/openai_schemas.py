"""Hyperparameters as the hosted API takes them, on the wire: three of its own, and under
``method`` every setting of a recipe as well.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.recipe import RecipeRequest

AutoValue = Literal["auto"]
_STRICT = ConfigDict(
    frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
)
NEpochs = Annotated[int, Field(ge=1, le=50)] | AutoValue
HostedBatchSize = Annotated[int, Field(ge=1, le=256)] | AutoValue
Multiplier = (
    Annotated[float, Field(ge=1e-4, le=100, description="Multiplies the resolved learning rate.")]
    | AutoValue
)


class Hyperparameters(BaseModel):
    """The hosted API's three; ``recipe`` says the same and more."""

    model_config = _STRICT

    n_epochs: NEpochs = "auto"
    """Passes over the training rows."""
    batch_size: HostedBatchSize = "auto"
    """Rows a step."""
    learning_rate_multiplier: Multiplier = "auto"
    """Multiplies the resolved learning rate."""


class MethodHyperparameters(RecipeRequest):
    """The hosted API's three, and every setting of a recipe by its own name."""

    n_epochs: NEpochs = "auto"
    """Passes over the training rows."""
    batch_size: HostedBatchSize = "auto"
    """Rows a step."""
    learning_rate_multiplier: Multiplier = "auto"
    """Multiplies the resolved learning rate."""


class Supervised(BaseModel):
    """Settings of supervised fine-tuning."""

    model_config = _STRICT

    hyperparameters: MethodHyperparameters = MethodHyperparameters()
    """The settings."""


class Method(BaseModel):
    """Settings as the hosted API takes them."""

    model_config = _STRICT

    type: Literal["supervised"] = "supervised"
    """The one method there is."""
    supervised: Supervised = Supervised()
    """Its settings."""
