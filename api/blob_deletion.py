"""Deletion of blobs whose rows are gone; what a failing storage keeps, the sweeper deletes."""

import logging
from collections.abc import Collection, Iterable

from api.dependencies import AppServices
from shared.infra.storage_errors import StorageUnavailable

log = logging.getLogger(__name__)


def delete_blobs(
    services: AppServices, prefixes: Iterable[str], *, kept_prefixes: Collection[str] = ()
) -> None:
    """Delete every blob below the prefixes, but none below the kept ones.

    Call this after the commit: the request has succeeded whatever the storage does.
    """
    for prefix in prefixes:
        try:
            services.storage.delete_prefix(prefix, kept_prefixes=kept_prefixes)
        except StorageUnavailable as error:
            log.warning("blobs_left prefix=%s error=%s", prefix, error)
            return
