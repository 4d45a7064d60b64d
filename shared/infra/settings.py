"""Settings of an installation: everything that may differ between two installations of the same
service.

Nothing here decides a weight; that is the recipe's (``shared.recipe``).
"""

import os
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from shared.domain.invalid_values import describe_invalid_value, find_invalid_field
from shared.infra.machine_memory import read_machine_memory
from shared.infra.owner_limits import OwnerLimits
from shared.infra.server_limits import ServerLimits
from shared.infra.setting_values import (
    check_api_key,
    check_database_url,
    check_hub_models,
    check_hub_url,
    check_redis_url,
    check_secret_key,
    check_storage_url,
    convert_to_upper_case,
    is_hub_offline,
)

ENV_PREFIX = "EVENKEEL_"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


def count_cpu_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(OwnerLimits, ServerLimits):
    """Read from ``EVENKEEL_*``; ``evenkeel up`` fills them in for its children. An empty
    variable counts as none.
    """

    # an empty variable is one that is not set: compose files have no other way to leave one out
    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        allow_inf_nan=False,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )

    home: Path = Field(default_factory=lambda: Path.home() / ".evenkeel")
    """Data folder of ``evenkeel up``, and the place of the defaults below."""
    database_url: Annotated[str, AfterValidator(check_database_url)] = ""
    """SQLAlchemy URL; default: SQLite in ``home``. PostgreSQL as
    ``postgresql+psycopg://user:password@host/name``.
    """
    redis_url: Annotated[str, AfterValidator(check_redis_url)] = "redis://127.0.0.1:6379/0"
    """Celery's broker; ``redis+socket:///path`` for a unix socket."""
    storage_url: Annotated[str, AfterValidator(check_storage_url)] = ""
    """Where blobs live: ``file:///folder`` (default: below ``home``) or what obstore
    understands, e.g. ``s3://bucket/prefix``.
    """
    cache_dir: Path | None = None
    """Local copies of training files and the trainers' scratch folders; default: below ``home``."""
    model_dirs: str = ""
    """Folders, separated by colons, whose sub-folders are offered as base models under their
    own names.
    """
    trainer_memory_bytes: int = Field(default_factory=read_machine_memory, gt=0)
    """Memory that one trainer may use: a base model whose training needs more is refused when a
    job is created. Default: the memory of the machine that reads this. Say it where the API runs
    on another kind of machine than the workers.
    """
    api_key: Annotated[SecretStr, AfterValidator(check_api_key)] | None = None
    """Key of the administrator, who owns what a service without keys has made. When it is set, or
    ``evenkeel keys create`` has made a key, every request to /v1 must carry a key as
    ``Authorization: Bearer``. At least 16 characters, without blanks.
    """
    secret_key: Annotated[SecretStr | None, AfterValidator(check_secret_key)] = None
    """Encrypts the secrets in the database; default: the file ``secret.key`` in ``home``, made when
    it is first needed. Give the API and all workers the same. Of several keys, separated by
    commas, the first one encrypts and all of them decrypt.
    """
    host: str = "127.0.0.1"
    """Address that the API serves; any but this machine's own needs an API key."""
    port: int = Field(8000, ge=0, le=65535)
    """0 takes a free one."""
    api_docs: bool = True
    """Whether anyone may read the API's documentation at ``/docs`` and ``/openapi.json``, which
    need no key.
    """
    published_host: str | None = None
    """The address the API is reached at when that is not ``host`` (a container's published
    port).
    """
    max_upload_bytes: int = Field(64 * 1024 * 1024, gt=0)
    """Largest file, and largest part of one."""
    max_model_bytes: int = Field(4 * 1024**3, gt=0)
    """Largest uploaded model, as a zip file and unpacked. One beyond ``max_upload_bytes`` comes in
    parts.
    """
    max_request_bytes: int = Field(1024 * 1024, gt=0)
    """Largest body of any request that is not an upload."""
    max_rows: int = Field(200_000, gt=0)
    """Most data rows a file may have."""
    hub_datasets: bool = False
    """Whether a job may name a data set of the hub (``hf://…``), which the API then downloads;
    else nothing is fetched from anywhere.
    """
    hub_models: Annotated[str, AfterValidator(check_hub_models)] = "off"
    """Which models of the hub a job may start from, and workers download: ``off``, ``any``, or
    owners and model IDs separated by commas (``google-bert,acme/encoder``).
    """
    hub_cache: Path | None = None
    """Downloaded models of the hub; default: ``hub`` below ``cache_dir``. Share it between
    workers of one disk, and with the API.
    """
    hub_model_bytes: int = Field(8 * 1024**3, gt=0)
    """Most bytes of a hub model's files."""
    hub_offline: bool = Field(default_factory=is_hub_offline)
    """Whether models come from the cache alone; default: ``HF_HUB_OFFLINE``, as for the hub's own
    client.
    """
    hub_retry_seconds: float = Field(1800.0, gt=0, le=7 * 86_400)
    """How long a job waits in all, between attempts, for a hub that does not answer: for the
    description of its model, and again for the download. Then it fails.
    """
    hub_endpoint: Annotated[str, AfterValidator(check_hub_url)] = Field(
        default_factory=lambda: os.environ.get("HF_ENDPOINT") or "https://huggingface.co",
        validate_default=True,
    )
    """The hub, or a mirror of it; default: ``HF_ENDPOINT``, as for the hub's own client."""
    hub_hosts: str = ""
    """Further hosts, separated by commas, that the hub may send a download on to, beside itself
    and the hosts below it.
    """
    hub_token: SecretStr | None = None
    """For data sets and models that are not public; sent to ``hub_endpoint`` alone. Models are
    also requested with ``HF_TOKEN``.
    """
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
    trainer_idle_seconds: float = Field(300.0, ge=0, le=7 * 86_400)
    """A trainer without work ends after so long, and its memory is free; the next run starts
    another. 0 ends it at once.
    """
    time_limit_seconds: float = Field(86_400.0, gt=0)
    """Longest wall-clock time of one attempt at a run."""
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(convert_to_upper_case)
    ] = "INFO"
    """DEBUG, INFO, WARNING or ERROR, in upper or lower case."""

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
    def resolved_hub_cache(self) -> Path:
        return self.hub_cache or self.resolved_cache_dir / "hub"

    @cached_property
    def model_folders(self) -> list[Path]:
        return [Path(folder) for folder in self.model_dirs.split(":") if folder]


def read_settings_or_exit() -> Settings:
    """Read the settings from the environment. Ends the process with a sentence on the standard
    error stream, and exit code 2, if one is invalid.
    """
    try:
        return Settings()
    except ValidationError as error:
        sys.stderr.write(f"{describe_invalid_settings(error)}\n")
        sys.exit(2)


def describe_invalid_settings(error: ValidationError) -> str:
    """Return a sentence that names the first variable with an invalid value, and the values it
    may have.
    """
    errors = error.errors()
    field = find_invalid_field(errors, {first["loc"][0]: None for first in errors if first["loc"]})
    first = field.errors[0]
    is_own = first["type"] == "value_error"
    words = first["msg"].removeprefix("Value error, ") if is_own else None
    subject = f"{ENV_PREFIX}{field.path[0]} ".upper() if field.path else ""
    return f"{subject}{words or describe_invalid_value(field.errors)}."


def describe_missing_key(settings: Settings, has_keys: Callable[[], bool]) -> str | None:
    """Return a sentence on what to do if the service listens beyond this machine without a key;
    None if it does not. ``has_keys`` looks for keys in the database.
    """
    reached_at = settings.published_host or settings.host
    if settings.api_key is not None or reached_at in LOOPBACK_HOSTS or has_keys():
        return None
    return (
        f"Evenkeel does not serve {reached_at} without an API key, because anyone who reaches that "
        "address could use it. Create a key (evenkeel keys create NAME) or set EVENKEEL_API_KEY, "
        "or serve 127.0.0.1."
    )
