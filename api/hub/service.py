"""From ``hf://…`` to a file of the service, the way that the package's page tells."""

import hashlib
from contextlib import closing
from pathlib import Path

from api.dependencies import Parts
from api.files import service as files
from api.hub.card import Chosen, choose, class_names
from api.hub.client import DatasetInfo, Hub
from api.hub.reference import Reference, filename
from api.hub.rows import JoinedRows
from shared.datasets import Limits, Source, UnreadableFile
from shared.db.files import Files
from shared.db.tables import File
from shared.domain.errors import DatasetTooLarge, HubNotAllowed, InvalidValue, ServiceBusy

PURPOSE = "fine-tune"


def stored(parts: Parts, text: str, source: Source) -> File:
    """The file that the reference stands for at present: the one that is here already of that commit, else downloaded.

    Raises HubNotAllowed, InvalidValue, DatasetNotFound, DatasetTooLarge, HubNotReachable; ServiceBusy while several are downloaded.
    """
    if not parts.settings.hub_datasets:
        raise HubNotAllowed(
            "This service does not fetch data sets from the hub (EVENKEEL_HUB_DATASETS): upload the file, e.g. the split as Parquet, "
            "and give its id.",
            param=source,
        )
    reference = Reference.parse(text, param=source)
    if not parts.fetching.acquire(blocking=False):
        raise ServiceBusy(
            "As many data sets are being fetched from the hub as may be at a time.", param=source
        )
    try:
        with closing(Hub(parts.settings, source)) as hub:
            return _stored(parts, hub, reference, source)
    finally:
        parts.fetching.release()


def _stored(parts: Parts, hub: Hub, reference: Reference, source: Source) -> File:
    info = hub.info(reference)
    chosen = choose(info, reference.config, reference.split, source)
    name = filename(reference.repository, chosen.config, chosen.split, info.commit)
    with parts.database.read() as session:
        known = Files(session, parts.owner_id).called(name, PURPOSE)
    if known is not None:
        return known
    with files.scratch(parts) as folder:
        joined = folder / "joined"
        _download(parts, hub, reference, info, chosen, joined, source)
        with joined.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        try:
            return files.store(
                parts, files.Received(joined, joined.stat().st_size, sha256), name, PURPOSE
            )
        except UnreadableFile as error:
            raise InvalidValue(f"The split cannot be read: {error.message}", param=source) from None


def _download(
    parts: Parts,
    hub: Hub,
    reference: Reference,
    info: DatasetInfo,
    chosen: Chosen,
    joined: Path,
    source: Source,
) -> None:
    """The split's files, one after the other, into ``joined``."""
    most = left = parts.settings.max_upload_bytes
    if sum(file.size or 0 for file in chosen.files) > most:
        raise DatasetTooLarge(f"The split's files have more than {most:,} bytes.", param=source)
    limits = Limits(max_rows=parts.settings.max_rows)
    with (
        joined.open("wb") as target,
        closing(JoinedRows(target, class_names(info, chosen.config), limits, source)) as rows,
    ):
        for file in chosen.files:
            shard = joined.with_name("shard")
            left -= hub.download(reference, info.commit, file, shard, left)
            with parts.reading:
                rows.add(shard, Path(file.path).name)
    if joined.stat().st_size > most:
        raise DatasetTooLarge(
            f"The split takes more than {most:,} bytes as JSON Lines.", param=source
        )
