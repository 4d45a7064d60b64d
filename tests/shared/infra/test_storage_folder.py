"""Which folder a service takes for its storage, when it starts while the disk is away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.db.migrate import apply_migrations
from shared.db.references import build_blob_check
from shared.db.session import Database
from shared.db.tables import File
from shared.infra.storage import Storage
from shared.infra.storage_errors import StorageUnavailable
from shared.infra.storage_folder import MARKER_NAME


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    apply_migrations(url)
    opened = Database(url)
    yield opened
    opened.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "storage"


def start_service(folder: Path, database: Database) -> Storage:
    return Storage(folder.as_uri(), build_blob_check(database))


def add_file(database: Database) -> None:
    plain = {"owner_id": "local", "filename": "f", "purpose": "fine-tune", "bytes": 1}
    with database.write() as session:
        session.add(File(id="file-1", sha256="d1", status="processed", **plain))


def test_a_new_service_makes_its_folder(folder: Path, database: Database) -> None:
    start_service(folder, database).put_bytes("files/d1", b"x")
    assert (folder / MARKER_NAME).exists()


@pytest.mark.parametrize("is_made", [True, False])
def test_a_mount_point_is_not_taken_for_the_storage_of_rows_that_exist(
    is_made: bool, folder: Path, database: Database
) -> None:
    start_service(folder, database).put_bytes("files/d1", b"x")
    add_file(database)
    away = folder.rename(folder.with_name("disk"))
    if is_made:
        folder.mkdir()
    storage = start_service(folder, database)
    for use in (lambda: storage.put_bytes("files/d2", b"y"), lambda: storage.exists("files/d1")):
        with pytest.raises(StorageUnavailable, match=r"storage, is empty, but the database has"):
            use()
    assert not folder.exists() or not any(folder.iterdir())  # nothing was written under the mount
    if is_made:
        folder.rmdir()
    away.rename(folder)
    assert storage.exists("files/d1")  # the same service, once the disk is mounted


def test_a_storage_of_a_version_without_markers_is_recognized(
    folder: Path, database: Database
) -> None:
    start_service(folder, database).put_bytes("files/d1", b"x")
    (folder / MARKER_NAME).unlink()
    add_file(database)
    assert start_service(folder, database).exists("files/d1")
    assert (folder / MARKER_NAME).exists()


def test_without_the_database_no_folder_is_taken(folder: Path, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'none' / 'test.db'}")
    with pytest.raises(StorageUnavailable, match="before the database can be read"):
        start_service(folder, database).exists("files/d1")
    assert not folder.exists()
    database.dispose()
