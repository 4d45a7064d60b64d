"""From ``hf://…`` to a file of the service, the way that the package's page tells."""

import hashlib
from contextlib import closing
from pathlib import Path

from api.dependencies import AppServices
from api.files import service as files
from api.hub.card import SplitFiles, choose_split_files, parse_class_names
from api.hub.client import DatasetInfo, HubClient
from api.hub.reference import HubReference, build_filename
from api.hub.rows import JoinedRowsWriter
from shared.datasets import InputFile, Limits, UnreadableFile
from shared.db.files import Files
from shared.db.tables import File
from shared.domain.errors import DatasetTooLarge, HubNotAllowed, InvalidValue, ServiceBusy

FILE_PURPOSE = "fine-tune"


def fetch_dataset(services: AppServices, reference_text: str, source: InputFile) -> File:
    """The file that the reference stands for at present: the one that is here already of that
    commit, else downloaded.

    Raises HubNotAllowed, InvalidValue, DatasetNotFound, DatasetTooLarge, HubNotReachable;
    ServiceBusy while several are downloaded.
    """
    if not services.settings.hub_datasets:
        raise HubNotAllowed(
            "This service does not fetch data sets from the hub (EVENKEEL_HUB_DATASETS): "
            "upload the file, e.g. the split as Parquet, "
            "and give its id.",
            param=source,
        )
    reference = HubReference.parse(reference_text, param=source)
    if not services.download_semaphore.acquire(blocking=False):
        raise ServiceBusy(
            "As many data sets are being fetched from the hub as may be at a time.", param=source
        )
    try:
        with closing(HubClient(services.settings, source)) as hub:
            return _fetch_split(services, hub, reference, source)
    finally:
        services.download_semaphore.release()


def _fetch_split(
    services: AppServices, hub: HubClient, reference: HubReference, source: InputFile
) -> File:
    info = hub.get_dataset_info(reference)
    chosen = choose_split_files(info, reference.config, reference.split, source)
    name = build_filename(reference.repository, chosen.config, chosen.split, info.commit)
    with services.database.read() as session:
        known = Files(session, services.owner_id).called(name, FILE_PURPOSE)
    if known is not None:
        return known
    with files.create_scratch_folder(services) as folder:
        joined = folder / "joined"
        _download_split(services, hub, reference, info, chosen, joined, source)
        with joined.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        try:
            return files.store_file(
                services,
                files.ReceivedFile(joined, joined.stat().st_size, sha256),
                name,
                FILE_PURPOSE,
            )
        except UnreadableFile as error:
            raise InvalidValue(f"The split cannot be read: {error.message}", param=source) from None


def _download_split(
    services: AppServices,
    hub: HubClient,
    reference: HubReference,
    info: DatasetInfo,
    split_files: SplitFiles,
    target_path: Path,
    source: InputFile,
) -> None:
    """The split's files, one after the other, into ``joined``."""
    most = left = services.settings.max_upload_bytes
    if sum(file.size or 0 for file in split_files.files) > most:
        raise DatasetTooLarge(f"The split's files have more than {most:,} bytes.", param=source)
    limits = Limits(max_rows=services.settings.max_rows)
    with (
        target_path.open("wb") as target,
        closing(
            JoinedRowsWriter(target, parse_class_names(info, split_files.config), limits, source)
        ) as rows,
    ):
        for file in split_files.files:
            shard = target_path.with_name("shard")
            left -= hub.download_file(reference, info.commit, file, shard, left)
            with services.table_semaphore:
                rows.add_file(shard, Path(file.path).name)
    if target_path.stat().st_size > most:
        raise DatasetTooLarge(
            f"The split takes more than {most:,} bytes as JSON Lines.", param=source
        )
