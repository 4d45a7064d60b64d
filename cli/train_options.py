"""Parameters of ``evenkeel train``, as named types that carry their help texts."""

from pathlib import Path
from typing import Annotated, Final

import typer

DATA_PANEL: Final = "Data"
RECIPE_PANEL: Final = "Recipe"
EVALUATION_PANEL: Final = "Split and metric"

# the data

TrainingFile = Annotated[
    Path,
    typer.Argument(
        exists=True,
        dir_okay=False,
        readable=True,
        metavar="FILE",
        help="Training data: CSV, TSV, JSONL or Parquet.",
    ),
]
ValidationFile = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        readable=True,
        help="Validation data.",
        show_default="rows split off FILE",
        rich_help_panel=DATA_PANEL,
    ),
]
TestFile = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        readable=True,
        help="Test data, used only for the reported score.",
        rich_help_panel=DATA_PANEL,
    ),
]
HasHeader = Annotated[
    str | None,
    typer.Option(
        metavar="auto|true|false",
        help="Whether the first line of CSV and TSV files names the columns.",
        show_default="auto",
        rich_help_panel=DATA_PANEL,
    ),
]
TaskType = Annotated[
    str | None,
    typer.Option(
        help="Type of task, e.g. regression.",
        show_default="detected from the labels",
        rich_help_panel=DATA_PANEL,
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option(help="Name or index of the (first) text column.", rich_help_panel=DATA_PANEL),
]
TextPairColumn = Annotated[
    str | None,
    typer.Option(
        help="Name or index of the second text column, for pairs.", rich_help_panel=DATA_PANEL
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option(help="Name or index of the label column.", rich_help_panel=DATA_PANEL),
]

# the recipe

BaseModelId = Annotated[
    str | None,
    typer.Option(help="Base model.", show_default="all-MiniLM-L6-v2", rich_help_panel=RECIPE_PANEL),
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
