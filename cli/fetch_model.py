"""``evenkeel models fetch``: download a model of the hub on a machine that has network.

Into the cache of hub models, for jobs that name its ID; or into a folder of its own, to be copied
below ``EVENKEEL_MODEL_DIRS`` of a service without network.
"""

import shutil
from pathlib import Path
from typing import Final

from rich.console import Console

from cli.errors import CliError
from cli.output_files import name_in_errors
from cli.settings import read_settings
from shared.domain.errors import ServiceError
from shared.domain.hub_model import HubModel
from shared.encoders.hub.download import fetch_model
from shared.encoders.hub.ids import ANY, is_hub_id
from shared.encoders.hub.progress import DownloadProgress
from shared.encoders.hub.resolution import HubModels
from shared.infra.settings import Settings

EXAMPLE: Final = "google-bert/bert-base-uncased"


def fetch_hub_model(
    console: Console, model: str, revision: str | None, folder: Path | None
) -> None:
    """Download a model, into ``folder`` if one is given, and print where it is.

    An interrupted download is continued by the next one. Raises CliError.
    """
    if not is_hub_id(model):
        raise CliError(f"{model} is no ID of a model on the hub. Write it like {EXAMPLE}.")
    try:
        if folder is None:
            found = _download(console, read_settings(hub_models=ANY), model, revision)
        else:
            with name_in_errors(folder):
                found = _download_into(console, model, revision, folder)
    except ServiceError as error:
        raise CliError(error.message) from None
    console.print(f"{found[0].title} is in {found[1]}", markup=False)


def _download_into(
    console: Console, model: str, revision: str | None, folder: Path
) -> tuple[HubModel, Path]:
    """Download beside the folder and rename, so that no partial model is left in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CliError(f"{folder} already exists and is not empty. Choose another folder.")
    scratch = folder.absolute().parent / f".{folder.name}.download"
    settings = read_settings(hub_models=ANY, hub_cache=scratch)
    resolved, downloaded = _download(console, settings, model, revision)
    if folder.exists():
        folder.rmdir()
    downloaded.rename(folder)
    shutil.rmtree(scratch, ignore_errors=True)
    return resolved, folder


def _download(
    console: Console, settings: Settings, model: str, revision: str | None
) -> tuple[HubModel, Path]:
    resolved = HubModels(settings).resolve(model, revision)
    progress = DownloadProgress(resolved)

    def report(received: int) -> None:
        sentence = progress.describe(received)
        if sentence is not None:
            console.print(sentence, markup=False)

    return resolved, fetch_model(settings, resolved, report)
