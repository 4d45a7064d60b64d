"""Who may read the files of the service: its own user alone."""

import os
from typing import Final

_OTHERS: Final = 0o077


def keep_files_private() -> None:
    """Let this process and its children make files and folders for their own user only.

    Every process that writes data, logs or secrets calls this first, however it was started:
    SQLite, the storage and the caches make their files in libraries that know of no mode.
    """
    os.umask(_OTHERS)
