"""The settings of a job as its request gave them, as in ``Job.request``.

Only what the request gave is stored. Settings that nothing reads again are kept as they are.
"""

from typing import Literal

from pydantic import Field, JsonValue, SerializerFunctionWrapHandler, model_serializer

from shared.domain.stored import StoredModel

HostedValue = int | float | Literal["auto"]


class RequestedHyperparameters(StoredModel):
    """The hosted API's three hyperparameters."""

    n_epochs: HostedValue = "auto"
    batch_size: HostedValue = "auto"
    learning_rate_multiplier: HostedValue = "auto"

    @model_serializer(mode="wrap")
    def _put_others_first(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Write settings of a recipe before these three, in the order of a request's schema."""
        given: dict[str, object] = serialize(self)
        hosted = {name: given.pop(name) for name in type(self).model_fields if name in given}
        return given | hosted


class RequestedSupervised(StoredModel):
    hyperparameters: RequestedHyperparameters = RequestedHyperparameters()


class RequestedMethod(StoredModel):
    """The hyperparameters in the hosted API's current form."""

    type: str = "supervised"
    supervised: RequestedSupervised = RequestedSupervised()


class RequestedRecipe(StoredModel):
    """A preset, and the settings that differ from it."""

    preset: str = "stabilized"


class RequestedRuns(StoredModel):
    num_seeds: int | None = None
    seeds: list[int] | None = None
    init_seeds: list[int] | None = None
    data_seeds: list[int] | None = None


class RequestedArtifacts(StoredModel):
    keep: str = "best_run"
    """``best_run``, ``all_runs`` or ``none``."""
    publish: str = "auto"
    """``auto``, ``best_run``, ``ensemble`` or ``distilled``."""


class StoredRequest(StoredModel):
    """The extensions of a request, and its references to data sets of the hub."""

    model_revision: str | None = None
    """Branch, tag or commit of a hub model, as asked for."""
    hyperparameters: RequestedHyperparameters | None = None
    method: RequestedMethod | None = None
    task: dict[str, JsonValue] = Field(default_factory=dict)
    split: dict[str, JsonValue] = Field(default_factory=dict)
    recipe: RequestedRecipe = RequestedRecipe()
    runs: RequestedRuns = RequestedRuns()
    evaluation: dict[str, JsonValue] = Field(default_factory=dict)
    early_discard: dict[str, JsonValue] | None = None
    artifacts: RequestedArtifacts = RequestedArtifacts()
