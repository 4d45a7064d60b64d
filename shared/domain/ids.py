"""Identifiers: a prefix for the kind, then the creation time in milliseconds and 48 random
bits, in hexadecimal.

IDs of one kind sort by creation time, so they serve as keyset-pagination cursors without a
second column.
"""

import re
import secrets
import time

FILE_PREFIX = "file-"
JOB_PREFIX = "ftjob-"
COMPARISON_PREFIX = "ftcmp-"
CHECKPOINT_PREFIX = "ftckpt_"
NOTICE_PREFIX = "evt_"
_OLDEST_MS = 1_704_067_200_000  # 2024-01-01, before the first version
_CLOCK_SKEW_MS = 3_600_000
_ID_DIGITS = re.compile(r"([0-9a-f]{12})[0-9a-f]{12}")


def make_id(prefix: str) -> str:
    """Return a fresh id, e.g. ``ftjob-0198a1b2c3d4e5f6a7b8c9d0`` for ``make_id("ftjob-")``."""
    return f"{prefix}{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


def is_id(text: str, prefix: str) -> bool:
    """Return whether ``make_id(prefix)`` may have returned this id."""
    match = _ID_DIGITS.fullmatch(text.removeprefix(prefix))
    latest = time.time_ns() // 1_000_000 + _CLOCK_SKEW_MS
    return (
        text.startswith(prefix) and match is not None and _OLDEST_MS <= int(match[1], 16) <= latest
    )


def make_file_id() -> str:
    return make_id(FILE_PREFIX)


def make_upload_id() -> str:
    return make_id("upload_")


def make_part_id() -> str:
    return make_id("part_")


def make_job_id() -> str:
    return make_id(JOB_PREFIX)


def make_run_id() -> str:
    return make_id("ftrun-")


def make_comparison_id() -> str:
    return make_id(COMPARISON_PREFIX)


def make_classification_id() -> str:
    return make_id("clf-")


def make_classification_batch_id() -> str:
    return make_id("clfbatch-")


def make_checkpoint_id() -> str:
    return make_id(CHECKPOINT_PREFIX)


def make_key_id() -> str:
    """Return a fresh id of an API key, which is not a part of the key."""
    return make_id("key_")


def make_event_id() -> str:
    """Return a fresh id of a webhook notice."""
    return make_id(NOTICE_PREFIX)
