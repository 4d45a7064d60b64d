"""Jobs on the wire: the official client's shape, with ``task``, ``split``, ``recipe``,
``runs``, ``evaluation`` as extension objects.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from api.jobs.openai_schemas import Hyperparameters, Method
from api.jobs.run_schemas import EarlyDiscardRequest, RunsRequest, Seed
from api.jobs.webhook_schemas import WebhookRequest
from api.pagination import Identified
from shared.domain.errors import Reason
from shared.domain.task import SplitRequest, Task, TaskRequest
from shared.encoders.catalogue import OFFLINE_ENCODER
from shared.metrics import METRICS
from shared.recipe import Recipe, RecipeRequest

Metadata = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=64)],
        Annotated[str, StringConstraints(max_length=512)],
    ],
    Field(max_length=16),
]
_STRICT = ConfigDict(
    frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
)


_SUFFIX_PATTERN = "[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}"


def _check_suffix(suffix: str) -> str:
    if re.fullmatch(_SUFFIX_PATTERN, suffix) is None:
        raise ValueError(
            "1 to 64 letters (a to z), digits, blanks, dots, hyphens and underscores, with "
            "a letter or digit first"
        )
    return suffix


_SUFFIX_SCHEMA = {"type": "string", "pattern": f"^{_SUFFIX_PATTERN}$"}


class EvaluationRequest(BaseModel):
    """What the runs are scored by."""

    model_config = _STRICT

    metric: Literal[METRICS] | None = None  # type: ignore[valid-type]
    """The score; default: accuracy, or mcc when the largest class has more than 60 % of the
    training rows; f1_micro for multi-label; pearson for regression.
    """


class ArtifactsRequest(BaseModel):
    """What of the runs stays once the job has ended."""

    model_config = _STRICT

    keep: Literal["best_run", "all_runs", "none"] = "best_run"
    """``all_runs`` keeps the model of every run that succeeded, under an id of its own, so that
    they can answer as an ensemble; each takes as much of the storage as the best one.
    ``none`` keeps the report and the metrics alone: no model is published, as for an
    experiment.
    """


FileId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    Field(
        description=(
            "The id of a file; or `hf://owner/name[/config][@revision][:split]`, "
            "where the service may fetch from the hub."
        )
    ),
]


class JobSettings(BaseModel):
    """All that a job may be told but the file it trains on."""

    model_config = _STRICT

    validation_file: FileId | None = None
    """Rows to choose the checkpoint by; without it they are split off the training file,
    stratified by label.
    """
    test_file: FileId | None = None
    """Rows that choose nothing, scored once with each run's chosen checkpoint: the score of the
    report.
    """
    model: Annotated[str, StringConstraints(min_length=1, max_length=256)] = OFFLINE_ENCODER
    """A base model of `GET /v1/models`, or a fine-tuned one to start from."""
    seed: Seed | None = None
    """Seed of the first run; 0 by default."""
    suffix: Annotated[str, AfterValidator(_check_suffix), WithJsonSchema(_SUFFIX_SCHEMA)] | None = (
        None
    )
    """Part of the fine-tuned model's id, with hyphens for blanks."""
    metadata: Metadata | None = None
    """Up to 16 pairs of the caller's own, by which jobs can be listed."""
    hyperparameters: Hyperparameters | None = None
    """Deprecated by the hosted API in favour of ``method``; understood."""
    method: Method | None = None
    """The settings as the hosted API takes them; settings of a recipe may be among them."""
    task: TaskRequest = TaskRequest()
    split: SplitRequest = SplitRequest()
    recipe: RecipeRequest = RecipeRequest()
    runs: RunsRequest = RunsRequest()
    evaluation: EvaluationRequest = EvaluationRequest()
    """What the runs are scored by."""
    early_discard: EarlyDiscardRequest | None = None
    artifacts: ArtifactsRequest = ArtifactsRequest()
    webhook: WebhookRequest | None = None
    """Where to tell of the job's end."""
    dry_run: bool = False
    """Say what the job would be, and store no job."""

    @model_validator(mode="after")
    def _check_run_count(self) -> Self:
        asked = self.early_discard is not None and self.early_discard.enabled
        if asked and self.runs.model_dump(exclude_none=True):
            raise ValueError("early_discard.start is the number of runs; leave runs out")
        return self


class JobRequest(JobSettings):
    """A fine-tuning job: files, base model, and what should differ from the defaults."""

    training_file: FileId
    """The uploaded file with the rows to learn from."""


class CloneRequest(JobSettings):
    """What the new job has otherwise than the one it is made from; each field given replaces
    that one's as a whole.
    """

    training_file: FileId | None = None
    """Another file to learn from."""


class RunsSummary(BaseModel):
    """How the job's main runs stand."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    total: int = 0
    """Main runs of the job."""
    queued: int = 0
    """Waiting for a worker."""
    running: int = 0
    """In training."""
    paused: int = 0
    """Waiting for the job to be resumed."""
    succeeded: int = 0
    """Ended with a score."""
    failed: int = 0
    """Ended without one."""
    cancelled: int = 0
    """Stopped by a caller."""
    discarded: int = 0
    """Stopped early as the less promising."""
    degenerate: int = 0
    """Of those that succeeded, no better than a constant answer."""


class Progress(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)

    percent: float
    """Of the steps of all runs; 100 once the job has ended."""
    steps_done: int
    """Optimiser steps, over all runs and pilots."""
    steps_total: int
    """As far as is known; of a run that was stopped, the steps it came to."""
    seconds_remaining: int | None
    """Estimated from the steps done so far; null before the first."""
    queue_position: int | None
    """Queued runs of older jobs; null once the job runs."""


class Warning(BaseModel):
    """Something to know before the numbers are relied on."""

    code: str
    message: str


StoredJson = dict[str, Any]
"""As the row has it: what another version has stored is shown, even if a request could not ask
for it today.
"""


class JobObject(Identified):
    """A job with its progress; recipe, runs and task as asked and as resolved."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    created_at: int
    started_at: int | None
    finished_at: int | None
    model: str
    """As asked: the base model, or the fine-tuned one it starts from."""
    status: str
    """`queued`, `running` or `paused`; in the end `succeeded`, `failed` or `cancelled`."""
    training_file: str
    """Id of the file."""
    validation_file: str | None
    """Id of the file; null where rows are split off."""
    test_file: str | None
    """Id of the file; null without one."""
    fine_tuned_model: str | None
    """Id of the published model, of the best run by validation score; null until then."""
    error: Reason | None
    """Why the job failed; null otherwise."""
    organization_id: str
    """Whose it is."""
    result_files: list[str]
    """Ids of `metrics.csv` and `model.zip`, once the job has succeeded."""
    seed: int
    """Of the first run."""
    trained_tokens: int | None
    """Over all runs; null until the end."""
    estimated_finish: int | None
    """Unix seconds; null where nothing can be said."""
    hyperparameters: dict[str, Any]
    """The hosted API's three, filled from the resolved recipe."""
    method: dict[str, Any]
    """As the hosted API has it."""
    metadata: dict[str, str] | None
    """As asked."""
    integrations: list[Any]
    """Always empty."""
    suffix: str | None
    """As asked; part of the fine-tuned model's id."""
    task: Task | StoredJson
    """With a value for everything, as the worker carries it out."""
    split: SplitRequest | StoredJson
    """As asked."""
    recipe: dict[str, Any]
    """As asked."""
    resolved_recipe: Recipe | StoredJson | None
    """Null only while pilots find an automatic value out."""
    pilots: dict[str, Any] | None
    """What of the recipe pilots find out: candidates with their validation scores, the choice,
    and the reason; null without pilots.
    """
    early_discard: dict[str, Any] | None
    """``start``, ``keep``, ``at_fraction`` and, once it is decided, ``at_step``, the ``kept``
    runs and both means at that step.
    """
    recipe_notes: dict[str, str]
    """Why each automatic value is what it is."""
    runs: dict[str, Any]
    """Which runs were asked for."""
    artifacts: dict[str, Any]
    """As asked."""
    metric: str
    """The score that the job is about."""
    threads: int
    """CPU threads of each of its trainers."""
    dataset: dict[str, Any]
    """Rows by part, labels, and digests of the files."""
    runs_summary: RunsSummary
    """How its main runs stand."""
    progress: Progress
    """How far it is, pilots included."""
    stability: dict[str, Any] | None
    """The report's numbers; GET …/stability has the runs and the confusion matrix as well."""
    warnings: list[Warning]
    """What should be known before the numbers are relied on."""
    webhook: dict[str, str] | None
    """Its ``url``; the secret is told to nobody."""
