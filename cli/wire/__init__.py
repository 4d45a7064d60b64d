"""What the command line reads of the service's answers."""

from cli.wire.files import File, Preview, PreviewRow, Profile, RowProblem
from cli.wire.jobs import (
    Comparison,
    DryRun,
    Estimate,
    Event,
    EventList,
    Job,
    JobList,
    PlannedRun,
    Problem,
    Progress,
    Run,
    RunList,
    RunMetrics,
    RunsSummary,
    Series,
)
from cli.wire.models import Batch, Classification, Disagreement, Model, Recipe, RecipeList, Target
from cli.wire.queue import Queue, TrainingRun, WorkerView
from cli.wire.shape import Caution

__all__ = [
    "Batch",
    "Caution",
    "Classification",
    "Comparison",
    "Disagreement",
    "DryRun",
    "Estimate",
    "Event",
    "EventList",
    "File",
    "Job",
    "JobList",
    "Model",
    "PlannedRun",
    "Preview",
    "PreviewRow",
    "Problem",
    "Profile",
    "Progress",
    "Queue",
    "Recipe",
    "RecipeList",
    "RowProblem",
    "Run",
    "RunList",
    "RunMetrics",
    "RunsSummary",
    "Series",
    "Target",
    "TrainingRun",
    "WorkerView",
]
