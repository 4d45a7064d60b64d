"""Download of a referenced data set into a file of the service."""

import hashlib
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from api.dependencies import AppServices
from api.files import service as files
from api.hub.card import SplitFiles, choose_split_files, parse_class_names
from api.hub.client import DatasetInfo, HubClient, build_too_large_error
from api.hub.reference import HubReference, build_filename
from api.hub.rows import join_files
from shared.datasets import InputFile, UnreadableFile
from shared.db.files import Files
from shared.db.tables import File
from shared.domain.errors import DatasetTooLarge, HubNotAllowed, InvalidValue
from shared.infra.settings import Settings

FILE_PURPOSE = "fine-tune"


class _Split(NamedTuple):
    """A split at the commit that its reference names now."""

    reference: HubReference
    info: DatasetInfo
    files: SplitFiles


def fetch_dataset(services: AppServices, reference_text: str, source: InputFile) -> File:
    """Return the file for a reference: the stored one if its commit is current, else download it.

    Raises HubNotAllowed, InvalidValue, DatasetNotFound, DatasetTooLarge, HubNotReachable, and
    ServiceBusy while too many data sets are downloaded.
    """
    _require_hub_allowed(services.settings, source)
    reference = HubReference.parse(reference_text, param=source)
    with (
        services.hub_requests.begin(param=source),
        closing(HubClient(services.settings, source)) as client,
    ):
        return _fetch_split(services, client, reference, source)


def _require_hub_allowed(settings: Settings, param: str) -> None:
    if not settings.hub_datasets:
        raise HubNotAllowed(
            "Data sets from the hub are disabled (EVENKEEL_HUB_DATASETS); "
            "upload the file, for example the split as Parquet, and give its ID.",
            param=param,
        )


def _fetch_split(
    services: AppServices, client: HubClient, reference: HubReference, source: InputFile
) -> File:
    info = client.get_dataset_info(reference)
    chosen = choose_split_files(info, reference.config, reference.split, source)
    name = build_filename(reference.repository, chosen.config, chosen.split, info.commit)
    with services.database.read() as session:
        stored = Files(session, services.owner_id).find_by_name(name, FILE_PURPOSE)
    if stored is not None:
        return stored
    with files.create_scratch_folder(services) as folder:
        joined = folder / "joined"
        _download_split(services, client, _Split(reference, info, chosen), joined, source)
        return _store_split(services, joined, name, source)


def _store_split(services: AppServices, path: Path, name: str, source: InputFile) -> File:
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    received = files.ReceivedFile(path, path.stat().st_size, sha256)
    try:
        return files.store_file(services, received, files.FileDetails(name, FILE_PURPOSE))
    except UnreadableFile as error:
        raise InvalidValue(f"The split cannot be read: {error.message}", param=source) from None


def _download_split(
    services: AppServices, client: HubClient, split: _Split, target_path: Path, source: InputFile
) -> None:
    """Download the files of a split and join them into ``target_path``."""
    max_bytes = remaining_bytes = services.settings.max_upload_bytes
    if sum(file.size or 0 for file in split.files.files) > max_bytes:
        raise build_too_large_error(max_bytes, source)
    shards = []
    for number, file in enumerate(split.files.files):
        shard = target_path.with_name(f"shard-{number}")
        remaining_bytes -= client.download_file(
            split.reference, split.info.commit, file, shard, remaining_bytes
        )
        shards.append((shard, Path(file.path).name))
    class_names = parse_class_names(split.info, split.files.config)
    services.readers.run(
        join_files, shards, target_path, class_names, files.get_table_limits(services), source
    )
    if target_path.stat().st_size > max_bytes:
        raise DatasetTooLarge(
            f"The split has more than {max_bytes:,} bytes as JSON Lines; upload a sample of "
            "the rows.",
            param=source,
        )
