"""Commands about fine-tuned models, data sets and recipes."""

from pathlib import Path
from typing import Annotated

import typer

from cli import options as option
from cli.commands.common import MODELS_PANEL, create_client, create_command_group
from cli.console import print_text
from cli.data_options import HasHeader
from cli.errors import CliError

app = create_command_group()


@app.command(rich_help_panel=MODELS_PANEL)
def classify(
    model: option.FineTunedModel,
    texts: option.InputTexts = None,
    file: option.InputFile = None,
    output: option.AnswersFile = None,
    text_column: option.InputColumn = None,
    text_pair_column: option.InputPairColumn = None,
    ensemble: option.AsEnsemble = False,
    as_json: option.AsJson = False,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Classify texts, pairs of texts, or every row of a file, with a fine-tuned model."""
    from cli.classify import FileRequest, classify_file, classify_texts

    if (file is None) == (not texts):
        raise CliError("Give either texts to classify or a file with --file.")
    with create_client(url) as client:
        if file is None:
            classify_texts(client, model, texts or [], ensemble=ensemble, as_json=as_json)
        else:
            request = FileRequest(file, output, text_column, text_pair_column, ensemble)
            classify_file(client, model, request)


@app.command(rich_help_panel=MODELS_PANEL)
def download(
    model: option.FineTunedModel,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="New or empty folder for the model.")
    ],
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Download a fine-tuned model as a folder; its README.md says how to load it.

    Of a published ensemble, the best run is downloaded.
    """
    from cli.download import download_model
    from cli.identifiers import resolve_model_id

    with create_client(url) as client:
        model_id = resolve_model_id(client, model)
        download_model(client, model_id, folder)
    print_text(f"{model_id} is in {folder}")


@app.command(rich_help_panel=MODELS_PANEL)
def preview(
    file: option.PreviewFile,
    model: Annotated[
        str | None,
        typer.Option(
            help=f"Model whose tokenizer to use: {option.MODEL_FORMS}.",
            show_default="all-MiniLM-L6-v2",
        ),
    ] = None,
    rows: Annotated[
        int, typer.Option("-n", "--rows", min=1, max=100, help="Number of rows to show.")
    ] = 5,
    header: HasHeader = None,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Show a data set's size and problems, and its first rows as the model reads them."""
    from cli.identifiers import resolve_start_model
    from cli.previews import show_preview
    from shared.encoders.catalogue import OFFLINE_ENCODER

    with create_client(url) as client:
        start = OFFLINE_ENCODER if model is None else resolve_start_model(client, model)
        show_preview(client, file, start, rows, header)


@app.command(rich_help_panel=MODELS_PANEL)
def recipes(
    name: Annotated[
        str | None, typer.Argument(metavar="RECIPE", help="Recipe to show in full.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help=f"Model that the settings are for: {option.MODEL_FORMS}.",
            show_default="all-MiniLM-L6-v2",
        ),
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(help="Branch, tag or commit of a model on the hub.", show_default="main"),
    ] = None,
    rows: Annotated[
        int, typer.Option(min=1, help="Number of training rows that the settings are for.")
    ] = 1000,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """List the recipes for `train --preset`, or show every setting of one."""
    from cli.identifiers import resolve_start_model
    from cli.previews import show_recipes
    from shared.encoders.catalogue import OFFLINE_ENCODER

    with create_client(url) as client:
        start = OFFLINE_ENCODER if model is None else resolve_start_model(client, model)
        show_recipes(client, name, start, rows, revision)
