"""Jobs on the wire: the official client's shape, with ``task``, ``split``, ``recipe``, ``runs``, ``evaluation`` as extension objects."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator

from api.jobs.run_requests import EarlyDiscardRequest, RunsRequest, Seed
from api.jobs.webhook_request import WebhookRequest
from api.listing import Identified
from shared.catalogue import OFFLINE_ENCODER
from shared.errors import Reason
from shared.metrics import METRICS
from shared.recipe import Recipe, RecipeRequest
from shared.task import SplitRequest, Task, TaskRequest

Metadata = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=64)],
        Annotated[str, StringConstraints(max_length=512)],
    ],
    Field(max_length=16),
]
Auto = Literal["auto"]
_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)


_SUFFIX = "[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}"


def _plain_suffix(suffix: str) -> str:
    if re.fullmatch(_SUFFIX, suffix) is None:
        raise ValueError(
            "1 to 64 letters (a to z), digits, blanks, dots, hyphens and underscores, with a letter or digit first"
        )
    return suffix


_SUFFIX_SCHEMA = {"type": "string", "pattern": f"^{_SUFFIX}$"}


class EvaluationRequest(BaseModel):
    model_config = _STRICT

    metric: Literal[METRICS] | None = None  # type: ignore[valid-type]
    """The score; default: accuracy, or mcc when the largest class has more than 60 % of the training rows; f1_micro for multi-label;
    pearson for regression."""


class ArtifactsRequest(BaseModel):
    """What of the runs stays once the job has ended."""

    model_config = _STRICT

    keep: Literal["best_run", "all_runs"] = "best_run"
    """``all_runs`` keeps the model of every run that succeeded, under an id of its own, so that they can answer as an ensemble; each takes
    as much of the storage as the best one."""


NEpochs = Annotated[int, Field(ge=1, le=50)] | Auto
HostedBatchSize = Annotated[int, Field(ge=1, le=256)] | Auto
Multiplier = Annotated[float, Field(ge=1e-4, le=100, description="Multiplies the resolved learning rate.")] | Auto


class Hyperparameters(BaseModel):
    """The hosted API's three; ``recipe`` says the same and more."""

    model_config = _STRICT

    n_epochs: NEpochs = "auto"
    batch_size: HostedBatchSize = "auto"
    learning_rate_multiplier: Multiplier = "auto"


class MethodHyperparameters(RecipeRequest):
    """The hosted API's three, and every setting of a recipe by its own name."""

    n_epochs: NEpochs = "auto"
    batch_size: HostedBatchSize = "auto"
    learning_rate_multiplier: Multiplier = "auto"


class Supervised(BaseModel):
    model_config = _STRICT

    hyperparameters: MethodHyperparameters = MethodHyperparameters()


class Method(BaseModel):
    model_config = _STRICT

    type: Literal["supervised"] = "supervised"
    supervised: Supervised = Supervised()


FileId = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class JobSettings(BaseModel):
    """All that a job may be told but the file it trains on."""

    model_config = _STRICT

    validation_file: FileId | None = None
    """Rows to choose the checkpoint by; without it they are split off the training file, stratified by label."""
    test_file: FileId | None = None
    """Rows that choose nothing, scored once with each run's chosen checkpoint: the score of the report."""
    model: Annotated[str, StringConstraints(min_length=1, max_length=256)] = OFFLINE_ENCODER
    seed: Seed | None = None
    """Seed of the first run; 0 by default."""
    suffix: Annotated[str, AfterValidator(_plain_suffix), WithJsonSchema(_SUFFIX_SCHEMA)] | None = None
    """Part of the fine-tuned model's id, with hyphens for blanks."""
    metadata: Metadata | None = None
    hyperparameters: Hyperparameters | None = None
    """Deprecated by the hosted API in favour of ``method``; understood."""
    method: Method | None = None
    task: TaskRequest = TaskRequest()
    split: SplitRequest = SplitRequest()
    recipe: RecipeRequest = RecipeRequest()
    runs: RunsRequest = RunsRequest()
    evaluation: EvaluationRequest = EvaluationRequest()
    early_discard: EarlyDiscardRequest | None = None
    artifacts: ArtifactsRequest = ArtifactsRequest()
    webhook: WebhookRequest | None = None
    """Where to tell of the job's end."""
    dry_run: bool = False
    """Say what the job would be, and store nothing."""

    @model_validator(mode="after")
    def _one_number_of_runs(self) -> Self:
        asked = self.early_discard is not None and self.early_discard.enabled
        if asked and self.runs.model_dump(exclude_none=True):
            raise ValueError("early_discard.start is the number of runs; leave runs out")
        return self


class JobRequest(JobSettings):
    """A fine-tuning job: files, base model, and what should differ from the defaults."""

    training_file: FileId


class CloneRequest(JobSettings):
    """What the new job has otherwise than the one it is made from; each field given replaces that one's as a whole."""

    training_file: FileId | None = None


class RunsSummary(BaseModel):
    total: int = 0
    queued: int = 0
    running: int = 0
    paused: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    discarded: int = 0
    degenerate: int = 0


class Progress(BaseModel):
    percent: float
    steps_done: int
    steps_total: int
    seconds_remaining: int | None
    """Estimated from the steps done so far; null before the first."""
    queue_position: int | None
    """Queued runs of older jobs; null once the job runs."""


class Warning(BaseModel):
    code: str
    message: str


Stored = dict[str, Any]
"""As the row has it: what another version has stored is shown, even if a request could not ask for it today."""


class JobObject(Identified):
    """A job with its progress; recipe, runs and task as asked and as resolved."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    created_at: int
    started_at: int | None
    finished_at: int | None
    model: str
    status: str
    training_file: str
    validation_file: str | None
    test_file: str | None
    fine_tuned_model: str | None
    error: Reason | None
    organization_id: str
    result_files: list[str]
    seed: int
    trained_tokens: int | None
    estimated_finish: int | None
    hyperparameters: dict[str, Any]
    method: dict[str, Any]
    metadata: dict[str, str] | None
    integrations: list[Any]
    suffix: str | None
    task: Task | Stored
    split: SplitRequest | Stored
    recipe: dict[str, Any]
    resolved_recipe: Recipe | Stored | None
    """Null only while pilots find an automatic value out."""
    pilots: dict[str, Any] | None
    """What of the recipe pilots find out: candidates with their validation scores, the choice, and the reason; null without pilots."""
    early_discard: dict[str, Any] | None
    """``start``, ``keep``, ``at_fraction`` and, once it is decided, ``at_step``, the ``kept`` runs and both means at that step."""
    recipe_notes: dict[str, str]
    runs: dict[str, Any]
    artifacts: dict[str, Any]
    metric: str
    threads: int
    dataset: dict[str, Any]
    runs_summary: RunsSummary
    progress: Progress
    stability: dict[str, Any] | None
    """The report's numbers; GET …/stability has the runs and the confusion matrix as well."""
    warnings: list[Warning]
    webhook: dict[str, str] | None
    """Its ``url``; the secret is told to nobody."""
