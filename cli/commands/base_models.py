"""Commands about the models that a job can start from: ``evenkeel models``."""

from pathlib import Path
from typing import Annotated

import typer

from cli import options as option
from cli.commands.common import create_client
from cli.help import CommandGroup, ListingGroup

app = CommandGroup(
    cls=ListingGroup,
    help="List models, upload one, or fetch one from the Hugging Face hub.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("list")
def list_models(url: option.Url = option.DEFAULT_URL) -> None:
    """List fine-tuned and base models, newest first; `evenkeel models` does the same."""
    from cli.models_table import print_models
    from cli.tables import make_console

    with create_client(url) as client:
        print_models(make_console(), client.list_models())


@app.command("upload")
def upload(
    path: Annotated[
        Path, typer.Argument(metavar="DIR_OR_ZIP", help="Folder of a model, or a zip file of one.")
    ],
    name: Annotated[
        str | None,
        typer.Option(help="Name for --model of jobs.", show_default="that of the folder or file"),
    ] = None,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Upload a model, which jobs can then start from by its name or ID.

    The service checks it: weights in the safetensors format, no pickles, no code. Of a folder, only
    the files that may be part of a model are sent.
    """
    from cli.model_upload import upload_model
    from cli.tables import make_console

    with create_client(url) as client:
        upload_model(client, make_console(stderr=True), path, name)


@app.command("fetch")
def fetch(
    model: Annotated[
        str, typer.Argument(metavar="ID", help="ID on the hub: owner/name, or a canonical name.")
    ],
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit.", show_default="main")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="New or empty folder for the model.",
            show_default="the cache of hub models",
        ),
    ] = None,
) -> None:
    """Download a model of the hub on this machine, without a service.

    Only what training needs is downloaded, and verified; an interrupted download is continued. A
    service without network trains from the folder if it lies below EVENKEEL_MODEL_DIRS.
    """
    from cli.fetch_model import fetch_hub_model
    from cli.tables import make_console

    fetch_hub_model(make_console(), model, revision, to)
