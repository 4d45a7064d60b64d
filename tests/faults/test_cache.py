"""The cache folder disappears, or cannot be used, while runs are in training."""

import shutil
from pathlib import Path

from tests.faults.conftest import SQLITE_IN_FULL_COUNTS, Undisturbed
from tests.servers import wait_until


def get_cache(undisturbed: Undisturbed) -> Path:
    return undisturbed.stack.home / "cache"


@SQLITE_IN_FULL_COUNTS
def test_a_cache_that_is_deleted_changes_no_number(undisturbed: Undisturbed) -> None:
    job_id = undisturbed.start()
    for step in (5, 150):
        undisturbed.stack.wait_for_step(job_id, step)
        shutil.rmtree(get_cache(undisturbed), ignore_errors=True)
    undisturbed.expect_the_same_of(job_id)


@SQLITE_IN_FULL_COUNTS
def test_a_cache_that_cannot_be_written_delays_the_runs_only(undisturbed: Undisturbed) -> None:
    """A file in the folder's place refuses every write, also those of a superuser."""
    job_id = undisturbed.start()
    undisturbed.stack.wait_for_step(job_id, 5)
    cache = get_cache(undisturbed)
    shutil.rmtree(cache, ignore_errors=True)
    cache.write_text("in the way")

    def has_told() -> bool:
        listed = undisturbed.stack.get(f"/v1/fine_tuning/jobs/{job_id}/events", limit=100)["data"]
        return any("disk" in one["message"] or "prepared" in one["message"] for one in listed)

    try:
        wait_until(has_told, 120, "a run to start over")
    finally:
        cache.unlink()
    undisturbed.expect_the_same_of(job_id)
