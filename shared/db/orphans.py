"""Deletion of blobs that no row names, while other processes store blobs and rows."""

from datetime import datetime

from shared.db.files import is_digest_used
from shared.db.locks import lock_name
from shared.db.session import Database
from shared.infra.storage import Storage
from shared.infra.storage_keys import StorageRoot


def delete_orphan(
    database: Database, storage: Storage, key: str, *, modified_before: datetime
) -> bool:
    """Delete a blob that was found to be old and without a row; False if it is neither any more.

    The content of files is shared by its digest: an upload of the same bytes may have stored them
    again, or have found them there and added its row, since the storage was listed. Keys of the
    other roots are used once only.
    """
    root, _, digest = key.partition("/")
    if root != StorageRoot.FILES:
        storage.delete(key)
        return True
    with database.write() as session:
        lock_name(session, digest)
        blob = storage.find(key)
        if blob is None or blob.modified >= modified_before or is_digest_used(session, digest):
            return False
        storage.delete(key)
    return True
