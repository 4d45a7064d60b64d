"""Uploads that are no table, each with the status and code of its answer; the HTTP tests post
the same corpus.
"""

from tests.shared.datasets.bad_uploads.not_text import NOT_TEXT
from tests.shared.datasets.bad_uploads.parquet import BAD_PARQUET
from tests.shared.datasets.bad_uploads.text import BAD_TEXT
from tests.shared.datasets.bad_uploads.upload import BadUpload, write

BAD_UPLOADS: list[BadUpload] = [*NOT_TEXT, *BAD_TEXT, *BAD_PARQUET]

__all__ = ["BAD_UPLOADS", "BadUpload", "write"]
