"""Models, and the files they are made from and asked about."""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.common import (
    DEFAULT_URL,
    MODELS_PANEL,
    AsJson,
    Url,
    create_client,
    create_command_group,
)
from cli.errors import CliError

app = create_command_group()


MODEL_HELP = "A fine-tuned model's id (ft:…), or its job's."


@app.command(rich_help_panel=MODELS_PANEL)
def classify(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT…", help="What to classify.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            readable=True,
            help="Classify a file's rows instead: CSV, JSONL, …",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="Where their answers go.", show_default="FILE.answers.csv"
        ),
    ] = None,
    text_column: Annotated[
        str | None,
        typer.Option(
            help="Name or index of the file's text column.", show_default="as in training"
        ),
    ] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Have all seeds answer that the job has kept.")
    ] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Say what a fine-tuned model makes of texts, or of every row of a file."""
    from cli import classify as command
    from cli.job_request import parse_column

    if (file is None) == (not texts):
        raise CliError("Give the texts to classify, or --file with a table of them.")
    with create_client(url) as client:
        if file is None:
            command.classify_texts(client, model, texts or [], ensemble=ensemble, as_json=as_json)
            return
        options = {"ensemble": ensemble} | (
            {} if text_column is None else {"text_column": parse_column(text_column)}
        )
        command.classify_file(
            client, model, file, output or file.with_name(f"{file.name}.answers.csv"), options
        )


@app.command(rich_help_panel=MODELS_PANEL)
def download(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to put it; must not exist, or be empty.")
    ],
    url: Url = DEFAULT_URL,
) -> None:
    """Download a fine-tuned model as a folder that transformers loads."""
    from cli.download import download_model

    with create_client(url) as client:
        download_model(client, model, folder)
    typer.echo(f"{model} is in {folder}")


@app.command(rich_help_panel=MODELS_PANEL)
def preview(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A data set.")
    ],
    model: Annotated[
        str | None, typer.Option(help="Whose tokenizer.", show_default="all-MiniLM-L6-v2")
    ] = None,
    rows: Annotated[int, typer.Option("-n", "--rows", min=1, max=100, help="How many rows.")] = 5,
    url: Url = DEFAULT_URL,
) -> None:
    """Show what a data set holds, what is wrong with it, and its first rows as a model reads
    them.
    """
    from cli.previews import show_preview as show_preview
    from shared.encoders.catalogue import OFFLINE_ENCODER

    with create_client(url) as client:
        show_preview(client, file, model or OFFLINE_ENCODER, rows)


@app.command(rich_help_panel=MODELS_PANEL)
def recipes(
    name: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="One of them, with every setting.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="The base model to resolve them for.", show_default="all-MiniLM-L6-v2"),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Training rows to resolve them for.")] = 1000,
    url: Url = DEFAULT_URL,
) -> None:
    """List the recipes that `train --preset` knows."""
    from cli.previews import show_recipes as show_recipes
    from shared.encoders.catalogue import OFFLINE_ENCODER

    with create_client(url) as client:
        show_recipes(client, name, model or OFFLINE_ENCODER, rows)
