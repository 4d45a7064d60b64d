"""Response schemas of jobs: the official client's fields, extended by the recipe and the report."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from api.pagination import Identified
from shared.domain.errors import Reason
from shared.domain.task import SplitRequest, Task
from shared.recipe import Recipe
from shared.report.schemas import Caution


class RunsSummary(BaseModel):
    """Number of the job's main runs by state."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    total: int = 0
    """All main runs of the job."""
    queued: int = 0
    """Runs that wait for a worker."""
    running: int = 0
    """Runs in training."""
    paused: int = 0
    """Runs that wait for the job to be resumed."""
    succeeded: int = 0
    """Runs that ended with a score."""
    failed: int = 0
    """Runs that ended without a score."""
    cancelled: int = 0
    """Runs that were cancelled by a request."""
    discarded: int = 0
    """Runs that early discard has stopped."""
    degenerate: int = 0
    """Succeeded runs no better than a constant prediction."""


class Progress(BaseModel):
    """Progress of the job, pilots included."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    percent: float
    """Percentage of the steps of all runs that are done; 100 once the job has ended."""
    steps_done: int
    """Completed optimizer steps of all runs and pilots."""
    steps_total: int
    """Planned optimizer steps of all runs and pilots that exist; a stopped run counts with the
    steps it has completed."""
    seconds_remaining: int | None
    """Estimate from the speed so far; null before the first step and while the job is paused."""
    queue_position: int | None
    """Number of queued runs that start before the job's first one, if none is added; null once the
    job has started."""


StoredList = list[object]
StoredJson = dict[str, object]
"""JSON as stored with the job, which may have settings that this version no longer accepts."""


class JobObject(Identified):
    """A job with its progress, and with its settings as requested and as resolved."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """ID of the job, `ftjob-…`."""
    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    """Always `fine_tuning.job`."""
    created_at: int
    """Time of creation, Unix seconds."""
    started_at: int | None
    """Time at which the first run started, Unix seconds; null until then."""
    finished_at: int | None
    """Time at which the job ended, Unix seconds; null until then."""
    model: str
    """The requested model: a base model, or the fine-tuned model that the job starts from."""
    model_revision: str | None
    """The requested branch, tag or commit of a model of the hub; null if none was given."""
    resolved_model_revision: str | None
    """The commit that the base model was resolved to; null for a model that is not of the hub, and
    until the hub has described it."""
    base_model_sha256: str | None
    """Digest of the base model that every run of the job must find: of its configuration, weights,
    tokenizer and pooling. Null until a run or the hub has told it."""
    status: str
    """Lifecycle state of the job: `validating_files` while a model of the hub is resolved and
    downloaded, then `queued`, `running` or `paused`; finally `succeeded`, `failed` or
    `cancelled`."""
    training_file: str
    """ID of the training file."""
    validation_file: str | None
    """ID of the validation file; null if the validation rows are split off the training file."""
    test_file: str | None
    """ID of the test file; null without one."""
    unlabelled_file: str | None
    """ID of the file with further texts for a distillation; null without one."""
    fine_tuned_model: str | None
    """ID of the published model, the best run by validation score or the ensemble of the sound runs
    (`stability.published`); null until it is published."""
    error: Reason | None
    """Why the job failed; null otherwise."""
    organization_id: str
    """Owner of the job."""
    result_files: list[str]
    """IDs of `metrics.csv`, `predictions.csv` and `model.zip`, or of `metrics.csv` alone if no
    model is kept; empty until the job has succeeded."""
    seed: int
    """Seed of the first run."""
    trained_tokens: int | None
    """Tokens that all runs together were trained on; null until the job has ended."""
    estimated_finish: int | None
    """Estimated time of the end, Unix seconds; null without an estimate."""
    hyperparameters: StoredJson
    """The hosted API's three hyperparameters, filled in from the resolved recipe."""
    method: StoredJson
    """The same hyperparameters in the hosted API's current format."""
    metadata: dict[str, str] | None
    """The requested key-value pairs; null without any."""
    integrations: StoredList
    """Always empty."""
    suffix: str | None
    """The requested part of the fine-tuned model's ID; null without one."""
    task: Task | StoredJson
    """The task with a value for every setting."""
    split: SplitRequest | StoredJson
    """The requested split."""
    recipe: StoredJson
    """The requested recipe."""
    resolved_recipe: Recipe | StoredJson | None
    """The recipe with a value for every setting; null while pilots choose automatic settings,
    and until the hub has described the model."""
    pilots: StoredJson | None
    """The search for automatic settings: candidates with their validation scores, the choice, and
    the reason. Null without pilots."""
    early_discard: StoredJson | None
    """`start`, `keep` and `at_fraction` as requested; after the decision also `at_step`, the
    `kept` runs, and the mean scores of all runs and of the kept runs at that step. Null without an
    early discard."""
    recipe_notes: dict[str, str]
    """Why each automatic or adapted setting has its value."""
    runs: StoredJson
    """The requested runs."""
    artifacts: StoredJson
    """The requested selection of models to publish and to keep."""
    metric: str
    """Metric of the report."""
    threads: int
    """CPU threads of each trainer."""
    dataset: StoredJson
    """Number of rows per split, label counts, and digests of the files."""
    runs_summary: RunsSummary
    """Number of the job's main runs by state."""
    progress: Progress
    """Progress of the job, pilots included."""
    stability: StoredJson | None
    """Numbers of the report; `GET …/stability` adds the runs and the confusion matrix."""
    warnings: list[Caution]
    """What to know before relying on the job's numbers, the worst first; also in its report."""
    webhook: dict[str, str] | None
    """The `host` of the webhook, without the rest of its URL and its secret; null without a
    webhook."""
