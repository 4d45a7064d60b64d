"""Parameters of ``evenkeel train``, as named types that carry their help texts; those about the
data are in ``cli.data_options``.
"""

from enum import StrEnum
from typing import Annotated, Final

import typer

from cli.options import MODEL_FORMS

RECIPE_PANEL: Final = "Recipe"
EVALUATION_PANEL: Final = "Split and metric"

# the recipe

BaseModelId = Annotated[
    str | None,
    typer.Option(
        help=f"Model to start from: {MODEL_FORMS}; or owner/name on the hub.",
        show_default="all-MiniLM-L6-v2",
        rich_help_panel=RECIPE_PANEL,
    ),
]
ModelRevision = Annotated[
    str | None,
    typer.Option(
        "--revision",
        help="Branch, tag or commit of a model on the hub.",
        show_default="main",
        rich_help_panel=RECIPE_PANEL,
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        help="Preset of the recipe; `evenkeel recipes` lists them.",
        show_default="stabilized",
        rich_help_panel=RECIPE_PANEL,
    ),
]
SeedCount = Annotated[
    int | None,
    typer.Option(
        help="Number of runs, one per seed.", show_default="5", rich_help_panel=RECIPE_PANEL
    ),
]
FirstSeed = Annotated[
    int | None,
    typer.Option(help="Seed of the first run.", show_default="0", rich_help_panel=RECIPE_PANEL),
]
MaxSteps = Annotated[
    str | None,
    typer.Option(help="Training steps per run, or auto.", rich_help_panel=RECIPE_PANEL),
]
Epochs = Annotated[
    str | None,
    typer.Option(help="Epochs per run, instead of steps.", rich_help_panel=RECIPE_PANEL),
]
LearningRate = Annotated[
    str | None, typer.Option(help="Peak learning rate, or auto.", rich_help_panel=RECIPE_PANEL)
]
BatchSize = Annotated[
    int | None, typer.Option(help="Rows per training step.", rich_help_panel=RECIPE_PANEL)
]
ReinitLayers = Annotated[
    str | None,
    typer.Option(
        help="Number of top blocks to re-initialize, or auto.", rich_help_panel=RECIPE_PANEL
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        help="float32, bfloat16 or auto.", show_default="auto", rich_help_panel=RECIPE_PANEL
    ),
]
ClassWeights = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WEIGHTS",
        help="Weights of the labels' rows in the loss: balanced, none, or LABEL=WEIGHT,…; "
        "a label without a weight has 1.",
        show_default="none",
        rich_help_panel=RECIPE_PANEL,
    ),
]
RecipeSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any other setting that `evenkeel recipes RECIPE` lists; may be repeated.",
        rich_help_panel=RECIPE_PANEL,
    ),
]
InitSeeds = Annotated[
    list[int] | None,
    typer.Option(
        "--init-seed",
        metavar="SEED",
        help="Seed of the weights; each is combined with each --data-seed. May be repeated.",
        rich_help_panel=RECIPE_PANEL,
    ),
]
DataSeeds = Annotated[
    list[int] | None,
    typer.Option(
        "--data-seed",
        metavar="SEED",
        help="Seed of row order and dropout. May be repeated.",
        rich_help_panel=RECIPE_PANEL,
    ),
]
EarlyDiscard = Annotated[
    str | None,
    typer.Option(
        metavar="START:KEEP",
        help="Start START runs, and continue the best KEEP of them after a quarter of the steps.",
        rich_help_panel=RECIPE_PANEL,
    ),
]

# splits, score and output

ValidationFraction = Annotated[
    float | None,
    typer.Option(
        help="Share of the rows for validation.",
        show_default="0.2",
        rich_help_panel=EVALUATION_PANEL,
    ),
]
TestFraction = Annotated[
    float | None,
    typer.Option(help="Share of the rows for testing.", rich_help_panel=EVALUATION_PANEL),
]
Folds = Annotated[
    int | None,
    typer.Option(
        help="Validate each seed on this many folds in turn (k-fold).",
        rich_help_panel=EVALUATION_PANEL,
    ),
]
GroupBy = Annotated[
    str | None,
    typer.Option(
        help="Column whose rows with equal values stay together in a split.",
        rich_help_panel=EVALUATION_PANEL,
    ),
]
SplitSeed = Annotated[
    int | None,
    typer.Option(help="Seed of the split.", show_default="0", rich_help_panel=EVALUATION_PANEL),
]
Metric = Annotated[
    str | None,
    typer.Option(
        help="Metric of the report, e.g. accuracy, f1_macro, mcc, pearson.",
        rich_help_panel=EVALUATION_PANEL,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Show the plan and its estimated duration without training."),
]
ModelSuffix = Annotated[
    str | None, typer.Option(help="Text to include in the fine-tuned model's ID.")
]


class KeptModels(StrEnum):
    """The values of ``artifacts.keep``."""

    BEST_RUN = "best_run"
    ALL_RUNS = "all_runs"
    NONE = "none"


class PublishedModel(StrEnum):
    """The values of ``artifacts.publish``."""

    AUTO = "auto"
    BEST_RUN = "best_run"
    ENSEMBLE = "ensemble"
    DISTILLED = "distilled"


Keep = Annotated[
    KeptModels | None,
    typer.Option(
        help="Models to keep; all_runs allows `classify --ensemble`.", show_default="best_run"
    ),
]
Publish = Annotated[
    PublishedModel | None,
    typer.Option(
        help="What the model's ID answers with: the best run, the ensemble of all sound runs, one "
        "model distilled from it (one more run), or the first two by validation score (auto).",
        show_default="auto",
    ),
]
Metadata = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="Text to store with the job; may be repeated."),
]
