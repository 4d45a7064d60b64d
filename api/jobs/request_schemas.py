"""Request schemas of jobs: the official client's fields, extended by objects such as ``recipe``."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, model_validator

from api.jobs.openai_schemas import Hyperparameters, Method
from api.jobs.run_schemas import EarlyDiscardRequest, RunsRequest, Seed
from api.jobs.webhook_schemas import WebhookRequest
from api.strict_request import StrictRequest
from shared.domain.task import SplitRequest, TaskRequest
from shared.encoders.catalogue import OFFLINE_ENCODER
from shared.encoders.hub.ids import REVISION_PATTERN
from shared.metrics import METRICS
from shared.recipe import RecipeRequest

Metadata = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=64)],
        Annotated[str, StringConstraints(max_length=512)],
    ],
    Field(max_length=16),
]
_SUFFIX_PATTERN = "[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}"


def _check_suffix(suffix: str) -> str:
    if re.fullmatch(_SUFFIX_PATTERN, suffix) is None:
        raise ValueError(
            "give 1 to 64 letters (a to z), digits, spaces, dots, hyphens and underscores, "
            "starting with a letter or digit"
        )
    return suffix


_SUFFIX_SCHEMA = {"type": "string", "pattern": f"^{_SUFFIX_PATTERN}$"}


class EvaluationRequest(StrictRequest):
    """How runs are scored."""

    metric: Literal[METRICS] | None = None  # type: ignore[valid-type]
    """Metric of the report and of the choice of a checkpoint. Default: accuracy, or mcc if the
    largest class has more than 60% of the training rows; f1_micro for a multi-label task; pearson
    for a regression."""


class ArtifactsRequest(StrictRequest):
    """What is published and which models are kept once the job has ended."""

    keep: Literal["best_run", "all_runs", "none"] = "best_run"
    """`best_run` keeps the model of the best run; left out, also those of a published ensemble.
    `all_runs` keeps the model of every succeeded run under its own ID; each takes as much storage
    as the best one. `none` publishes no model and keeps the report and the metrics."""
    publish: Literal["auto", "best_run", "ensemble", "distilled"] = "auto"
    """What the published model's ID answers with: the best run, the mean of the predictions of
    all runs that succeeded and are not degenerate, or one model that has learned this mean on the
    training texts and those of `unlabelled_file` (`distilled`), which takes one more run. `auto`
    chooses between the first two by the validation scores and by the ensemble's cost, and means the
    best run if `keep` is given."""

    @model_validator(mode="after")
    def _check_that_the_published_is_kept(self) -> Self:
        if self.publish == "auto":
            return self
        if self.keep == "none":
            raise ValueError(f'keep "none" publishes no model; leave out publish "{self.publish}"')
        keeps_best_run = "keep" in self.model_fields_set and self.keep == "best_run"
        if self.publish in ("ensemble", "distilled") and keeps_best_run:
            raise ValueError(f'keep "best_run" excludes publish "{self.publish}"; leave out keep')
        return self


Revision = Annotated[str, StringConstraints(pattern=f"^{REVISION_PATTERN}$")]
FileId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    Field(
        description="ID of a file, or `hf://owner/name[/config][@revision][:split]` if the "
        "service may download from the Hugging Face hub."
    ),
]


class JobSettings(StrictRequest):
    """All settings of a job except its training file."""

    validation_file: FileId | None = None
    """File with the validation rows, which choose each run's checkpoint. Without it, they are split
    off the training file, stratified by label. A file ID, or `hf://…`."""
    test_file: FileId | None = None
    """File with the test rows, which are scored once with each run's chosen checkpoint. The report
    describes these scores. A file ID, or `hf://…`."""
    unlabelled_file: FileId | None = None
    """File with further texts for `artifacts.publish` `distilled`, in the same text columns; labels
    in it are ignored. The distilled model learns the mean prediction on the training texts and on
    these. A file ID, or `hf://…`."""
    model: Annotated[str, StringConstraints(min_length=1, max_length=256)] = OFFLINE_ENCODER
    """A base model of `GET /v1/models`, a fine-tuned model or its checkpoint to start from, or a
    model of the Hugging Face hub (`owner/name`) if the service may download it."""
    model_revision: Revision | None = None
    """Branch, tag or commit of a model of the hub; `main` by default. The job keeps the commit that
    it names now (`resolved_model_revision`)."""
    seed: Seed | None = None
    """Seed of the first run; 0 by default."""
    suffix: Annotated[str, AfterValidator(_check_suffix), WithJsonSchema(_SUFFIX_SCHEMA)] | None = (
        None
    )
    """Part of the fine-tuned model's ID; spaces become hyphens."""
    metadata: Metadata | None = None
    """Up to 16 key-value pairs; jobs can be listed by them."""
    hyperparameters: Hyperparameters | None = None
    """The hosted API's three hyperparameters. The hosted API deprecates this field in favor of
    `method`; both are supported."""
    method: Method | None = None
    """Hyperparameters in the hosted API's current format; every setting of a recipe is accepted
    too."""
    task: TaskRequest = TaskRequest()
    """How to read the training file; settings that are left out are detected from the file."""
    split: SplitRequest = SplitRequest()
    """How validation and test rows are split off the training file if no file is given for them.
    All seeds use the same split."""
    recipe: RecipeRequest = RecipeRequest()
    """A preset, and the settings that differ from it."""
    runs: RunsRequest = RunsRequest()
    """How many runs to train, and from which seeds; at most 200 runs."""
    evaluation: EvaluationRequest = EvaluationRequest()
    """How runs are scored."""
    early_discard: EarlyDiscardRequest | None = None
    """Start many runs, compare them partway, and continue only the best; null trains every run to
    its end."""
    artifacts: ArtifactsRequest = ArtifactsRequest()
    """What is published and which models are kept once the job has ended."""
    webhook: WebhookRequest | None = None
    """URL to notify when the job has ended."""
    dry_run: bool = False
    """Return the plan of the job without creating it."""

    @model_validator(mode="after")
    def _check_distillation(self) -> Self:
        if self.artifacts.publish == "distilled" and self.split.folds is not None:
            raise ValueError(
                'publish "distilled" needs runs that are validated on the same rows; leave out '
                "split.k, or publish the best run"
            )
        return self

    @model_validator(mode="after")
    def _check_run_count(self) -> Self:
        discards = self.early_discard is not None and self.early_discard.enabled
        if discards and self.runs.model_dump(exclude_none=True):
            raise ValueError("early_discard.start sets the number of runs; leave runs out")
        return self


class JobRequest(JobSettings):
    """A fine-tuning job: files, base model, and the settings that differ from the defaults."""

    training_file: FileId
    """File with the training rows. A file ID, or `hf://…`."""


class CloneRequest(JobSettings):
    """Changes to the cloned job's request; each given field replaces the original one entirely."""

    training_file: FileId | None = None
    """File with the training rows, instead of the original one. A file ID, or `hf://…`."""
