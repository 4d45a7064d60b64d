"""Parameters that name data files and say how they are read, with their help texts."""

from pathlib import Path
from typing import Annotated, Final

import typer

DATA_PANEL: Final = "Data"

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
UnlabelledFile = Annotated[
    Path | None,
    typer.Option(
        "--unlabelled",
        exists=True,
        dir_okay=False,
        readable=True,
        help="Further texts for `--publish distilled`; labels in them are ignored.",
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
LabelNames = Annotated[
    list[str] | None,
    typer.Option(
        "--label-name",
        metavar="LABEL",
        help="Name of a label; repeat it for all labels, in the order of the model's outputs.",
        show_default="the labels in FILE, sorted",
        rich_help_panel=DATA_PANEL,
    ),
]
PositiveLabel = Annotated[
    str | None,
    typer.Option(
        metavar="LABEL",
        help="Label that binary F1 refers to.",
        show_default="the second of two",
        rich_help_panel=DATA_PANEL,
    ),
]
MaxSeqLength = Annotated[
    str | None,
    typer.Option(
        metavar="TOKENS",
        help="Longest text in tokens, or auto; longer ones are truncated.",
        show_default="128, or the model's limit if lower",
        rich_help_panel=DATA_PANEL,
    ),
]
