"""Settings that bound what one owner may use of an installation.

The defaults are far above what a small team needs; lower them where tenants share a machine.
"""

from pydantic import BaseModel, ConfigDict, Field


class OwnerLimits(BaseModel):
    """Limits of each owner. A service without keys has one owner, ``local``."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    owner_stored_bytes: int = Field(100 * 1024**3, gt=0)
    """Most bytes of an owner's files, with result files and announced uploads."""
    owner_files: int = Field(100_000, gt=0)
    """Most files of an owner, with result files and announced uploads."""
    owner_open_jobs: int = Field(1_000, gt=0)
    """Most jobs of an owner that have not ended."""
    owner_job_runs: int = Field(1_000, gt=0)
    """Most main runs of one job, with those that extend it."""
    owner_queued_runs: int = Field(20_000, gt=0)
    """Most runs of an owner that wait for a worker or are paused, when more are requested."""
    owner_event_streams: int = Field(50, ge=1, le=10_000)
    """Most event streams of an owner that one API process serves at a time."""
    owner_requests_per_second: float = Field(1_000.0, gt=0)
    """Most requests of an owner per second to one API process, in the long run; twice as many may
    come at once.
    """
