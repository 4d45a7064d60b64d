"""Blobs that get a row, or are stored again, while the garbage is collected. Both databases."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shared.db.locks import lock_name
from shared.db.references import collect_references
from shared.db.tables import File
from shared.infra.storage import Blob, Storage
from shared.infra.storage_keys import StorageRoot, build_file_key
from worker.context import WorkerContext
from worker.maintenance.garbage import sweep_storage

KEY = build_file_key("d1")
DAYS = timedelta(days=2)


class ListedStorage(Storage):
    """Storage in which something happens right after the files have been listed."""

    def __init__(self, url: str, after_listing: Callable[[], None]) -> None:
        super().__init__(url)
        self._after_listing = after_listing

    def list(self, prefix: str) -> Iterator[Blob]:
        yield from super().list(prefix)
        if prefix == StorageRoot.FILES:
            self._after_listing()


def collect_garbage(context: WorkerContext, after_listing: Callable[[], None]) -> int:
    with context.database.read() as session:
        references = collect_references(session)
    storage = ListedStorage(context.settings.resolved_storage_url, after_listing)
    return sweep_storage(references, storage, context.database, now=datetime.now(UTC) + DAYS)


def add_row(context: WorkerContext) -> None:
    """Add a file's row as an upload does that finds the bytes in the storage."""
    with context.database.write() as session:
        lock_name(session, "d1")
        assert context.storage.exists(KEY)
        plain = {"owner_id": "local", "filename": "f", "purpose": "fine-tune", "bytes": 1}
        session.add(File(id="file-1", sha256="d1", status="processed", **plain))


def test_an_upload_of_the_same_bytes_keeps_them(context: WorkerContext) -> None:
    context.storage.put_bytes(KEY, b"x")
    assert collect_garbage(context, lambda: add_row(context)) == 0
    assert context.storage.exists(KEY)


def test_bytes_that_nobody_uploads_are_deleted(context: WorkerContext) -> None:
    context.storage.put_bytes(KEY, b"x")
    assert collect_garbage(context, lambda: None) == 1
    assert not context.storage.exists(KEY)


def test_bytes_that_are_stored_again_wait_for_their_row(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of a publication, whose rows come at the end of its job."""
    context.storage.put_bytes(KEY, b"x")
    find = Storage.find

    def find_renewed(self: Storage, key: str) -> Blob | None:
        blob = find(self, key)
        return blob and blob._replace(modified=blob.modified + DAYS)

    monkeypatch.setattr(Storage, "find", find_renewed)
    assert collect_garbage(context, lambda: None) == 0
    assert context.storage.exists(KEY)
