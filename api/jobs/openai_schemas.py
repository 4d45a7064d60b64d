"""Request schemas of the hyperparameters of OpenAI's hosted fine-tuning API.

``hyperparameters`` has the hosted API's three; ``method`` accepts every setting of a recipe too.
"""

from typing import Annotated, Literal

from pydantic import Field

from api.strict_request import StrictRequest
from shared.recipe import RecipeRequest

AutoValue = Literal["auto"]
NEpochs = Annotated[int, Field(ge=1, le=50)] | AutoValue
HostedBatchSize = Annotated[int, Field(ge=1, le=256)] | AutoValue
Multiplier = (
    Annotated[
        float,
        Field(
            ge=1e-4, le=100, description="Factor by which the resolved learning rate is multiplied."
        ),
    ]
    | AutoValue
)


class Hyperparameters(StrictRequest):
    """The hosted API's three hyperparameters; `recipe` has these settings and more."""

    n_epochs: NEpochs = "auto"
    """Passes over the training rows."""
    batch_size: HostedBatchSize = "auto"
    """Rows per optimizer step."""
    learning_rate_multiplier: Multiplier = "auto"
    """Factor by which the resolved learning rate is multiplied."""


class MethodHyperparameters(RecipeRequest):
    """The hosted API's three hyperparameters, and every setting of a recipe by its name."""

    n_epochs: NEpochs = "auto"
    """Passes over the training rows."""
    batch_size: HostedBatchSize = "auto"
    """Rows per optimizer step."""
    learning_rate_multiplier: Multiplier = "auto"
    """Factor by which the resolved learning rate is multiplied."""


class Supervised(StrictRequest):
    """Settings of supervised fine-tuning."""

    hyperparameters: MethodHyperparameters = MethodHyperparameters()
    """Hyperparameters of the training."""


class Method(StrictRequest):
    """Hyperparameters in the hosted API's current format."""

    type: Literal["supervised"] = "supervised"
    """Kind of fine-tuning; only `supervised` exists."""
    supervised: Supervised = Supervised()
    """Settings of supervised fine-tuning."""
