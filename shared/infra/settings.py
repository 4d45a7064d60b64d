"""Settings of an installation: everything that may differ between two installations of the same
service.

Nothing here decides a weight; that is the recipe's (``shared.recipe``).
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


def count_cpu_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """Read from ``EVENKEEL_*``; ``evenkeel up`` fills them in for its children. An empty
    variable counts as none.
    """

    # an empty variable is one that is not set: compose files have no other way to leave one out
    model_config = SettingsConfigDict(
        env_prefix="EVENKEEL_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )

    home: Path = Field(default_factory=lambda: Path.home() / ".evenkeel")
    """Data folder of ``evenkeel up``, and the place of the defaults below."""
    database_url: str = ""
    """SQLAlchemy URL; default: SQLite in ``home``. PostgreSQL as
    ``postgresql+psycopg://user:password@host/name``.
    """
    redis_url: str = "redis://127.0.0.1:6379/0"
    """Celery's broker; ``redis+socket:///path`` for a unix socket."""
    storage_url: str = ""
    """Where blobs live: ``file:///folder`` (default: below ``home``) or what obstore
    understands, e.g. ``s3://bucket/prefix``.
    """
    cache_dir: Path | None = None
    """Local copies of training files and the trainers' scratch folders; default: below ``home``."""
    model_dirs: str = ""
    """Folders, separated by colons, whose sub-folders are offered as base models under their
    own names.
    """
    api_key: SecretStr | None = None
    """When set, every request to /v1 must carry it as ``Authorization: Bearer``."""
    host: str = "127.0.0.1"
    """Address that the API serves; any but this machine's own needs ``api_key``."""
    port: int = Field(8000, ge=0, le=65535)
    """0 takes a free one."""
    published_host: str | None = None
    """The address the API is reached at when that is not ``host`` (a container's published
    port).
    """
    max_upload_bytes: int = Field(64 * 1024 * 1024, gt=0)
    """Largest file, and largest part of one."""
    max_request_bytes: int = Field(1024 * 1024, gt=0)
    """Largest body of any request that is not an upload."""
    max_rows: int = Field(200_000, gt=0)
    """Most data rows a file may have."""
    hub_datasets: bool = False
    """Whether a job may name a data set of the hub (``hf://…``), which the API then downloads;
    else nothing is fetched from anywhere.
    """
    hub_endpoint: str = Field(
        default_factory=lambda: os.environ.get("HF_ENDPOINT") or "https://huggingface.co",
        pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?$",
        validate_default=True,
    )
    """The hub, or a mirror of it; default: ``HF_ENDPOINT``, as for the hub's own client."""
    hub_hosts: str = ""
    """Further hosts, separated by commas, that the hub may send a download on to, beside itself
    and the hosts below it.
    """
    hub_token: SecretStr | None = None
    """For data sets that are not public; sent to ``hub_endpoint`` alone."""
    hub_seconds: float = Field(120.0, gt=0, le=3600)
    """Longest time that a data set may take to come."""
    event_streams: int = Field(100, ge=1, le=10_000)
    """Most event streams that one API process serves at a time."""
    webhook_private_addresses: bool = False
    """Whether webhooks may be sent to addresses that are not public: this machine, its network,
    a cloud's metadata service.
    """
    classifier_bytes: int = Field(2 * 1024**3, gt=0)
    """Most bytes of fine-tuned models that the API keeps in memory to classify with; the one
    last used stays, however large.
    """
    worker_slots: int = Field(1, ge=1, le=256)
    """Runs trained at the same time by one worker; each slot is a trainer process of its own."""
    gpus: int = Field(0, ge=0, le=64)
    """GPUs of this worker's machine, shared out among its slots; 0 trains on the CPU."""
    stack: Annotated[int, Field(ge=1, le=256)] | Literal["auto"] = "auto"
    """Up to how many runs of one job a slot trains side by side; ``auto``: 20 on a GPU, 1 on a
    CPU.
    """
    cores: int = Field(default_factory=count_cpu_cores, ge=1, le=1024)
    """CPU cores that a worker's slots share; default: those of the machine that reads this. Say
    it where the API runs on another kind of machine than the workers, or where several
    workers share one.
    """
    threads: Annotated[int, Field(ge=1, le=256)] | Literal["auto"] = "auto"
    """CPU threads a trainer. Resolved when a job is made and stored with it, because the last
    bits of a sum depend on it; ``auto``: the cores, shared out among as many slots as the
    job has runs for (``shared.infra.hardware.resolve_threads``).
    """
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """What a recipe's ``precision: "auto"`` comes to. auto: bfloat16 where there are GPUs, or
    where this machine's processor multiplies it natively, else float32. Say it where the API
    runs on another kind of machine than the workers.
    """
    lease_seconds: float = Field(60.0, gt=0)
    """A run whose worker has not renewed its lease for so long is taken back."""
    heartbeat_seconds: float = Field(10.0, gt=0)
    """How often a worker renews the lease of the run it trains."""
    requeue_seconds: float = Field(30.0, gt=0)
    """A queued run that nobody took is announced again after so long."""
    tick_seconds: float = Field(5.0, gt=0)
    """How often the sweeper looks."""
    stall_seconds: float = Field(300.0, gt=0)
    """A trainer that says nothing for so long is taken for stuck and killed."""
    time_limit_seconds: float = Field(86_400.0, gt=0)
    """Longest wall-clock time of one attempt at a run."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    @model_validator(mode="after")
    def _check_heartbeat_interval(self) -> Self:
        if self.heartbeat_seconds >= self.lease_seconds:
            raise ValueError(
                "EVENKEEL_HEARTBEAT_SECONDS must be shorter than EVENKEEL_LEASE_SECONDS"
            )
        return self

    @cached_property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'evenkeel.db'}"

    @cached_property
    def resolved_storage_url(self) -> str:
        return self.storage_url or (self.home / "storage").absolute().as_uri()

    @cached_property
    def resolved_cache_dir(self) -> Path:
        return self.cache_dir or self.home / "cache"

    @cached_property
    def model_folders(self) -> list[Path]:
        return [Path(folder) for folder in self.model_dirs.split(":") if folder]


def describe_missing_key(settings: Settings) -> str | None:
    """Return a sentence on what to do if the service listens beyond this machine without a key;
    None if it does not.
    """
    reached_at = settings.published_host or settings.host
    if settings.api_key is None and reached_at not in LOOPBACK_HOSTS:
        return (
            f"Evenkeel does not serve {reached_at} without an API key, because anyone who "
            "reaches that address could use it. Set EVENKEEL_API_KEY, or serve 127.0.0.1."
        )
    return None
