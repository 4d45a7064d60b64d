"""Identifiers: a prefix for the kind, then the creation time in milliseconds and 48 random
bits, in hexadecimal.

Ids of one kind sort by creation time, so they serve as keyset-pagination cursors without a
second column.
"""

import secrets
import time


def new_id(prefix: str) -> str:
    """Return a fresh id, e.g. ``ftjob-0198a1b2c3d4e5f6a7b8c9d0`` for ``new_id("ftjob-")``."""
    return f"{prefix}{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


def file_id() -> str:
    return new_id("file-")


def upload_id() -> str:
    return new_id("upload_")


def part_id() -> str:
    return new_id("part_")


def job_id() -> str:
    return new_id("ftjob-")


def run_id() -> str:
    return new_id("ftrun-")


def comparison_id() -> str:
    return new_id("ftcmp-")


def classification_id() -> str:
    return new_id("clf-")


def classification_batch_id() -> str:
    return new_id("clfbatch-")


def checkpoint_id() -> str:
    return new_id("ftckpt_")


def event_id() -> str:
    """Prefix of a webhook notice."""
    return new_id("evt_")
