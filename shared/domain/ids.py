"""Identifiers: a prefix for the kind, then the creation time in milliseconds and 48 random
bits, in hexadecimal.

IDs of one kind sort by creation time, so they serve as keyset-pagination cursors without a
second column.
"""

import secrets
import time


def make_id(prefix: str) -> str:
    """Return a fresh id, e.g. ``ftjob-0198a1b2c3d4e5f6a7b8c9d0`` for ``make_id("ftjob-")``."""
    return f"{prefix}{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


def make_file_id() -> str:
    return make_id("file-")


def make_upload_id() -> str:
    return make_id("upload_")


def make_part_id() -> str:
    return make_id("part_")


def make_job_id() -> str:
    return make_id("ftjob-")


def make_run_id() -> str:
    return make_id("ftrun-")


def make_comparison_id() -> str:
    return make_id("ftcmp-")


def make_classification_id() -> str:
    return make_id("clf-")


def make_classification_batch_id() -> str:
    return make_id("clfbatch-")


def make_checkpoint_id() -> str:
    return make_id("ftckpt_")


def make_event_id() -> str:
    """Return a fresh id of a webhook notice."""
    return make_id("evt_")
