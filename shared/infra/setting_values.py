"""Values of settings that more than a type constrains: each check returns the value as stored.

A check raises ValueError with the rest of a sentence that begins with the variable's name.
"""

import os
import re
from urllib.parse import urlsplit

from pydantic import SecretStr

from shared.domain.api_keys import MIN_ENVIRONMENT_KEY_LENGTH, is_strong_key
from shared.domain.wording import join_alternatives

REDIS_PREFIXES = ("redis://", "rediss://", "redis+socket:///")
STORAGE_PREFIXES = (
    "file:///",
    "s3://",
    "s3a://",
    "gs://",
    "az://",
    "azure://",
    "abfs://",
    "abfss://",
    "adl://",
)
MIN_SECRET_KEY_CHARS = 32
DATABASE_DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")


def check_database_url(url: str) -> str:
    """Check a database URL, or an empty one. Passwords in it may have any character."""
    from shared.db.session import parse_driver  # imported here: most commands open no database

    if url and parse_driver(url) not in DATABASE_DRIVERS:
        raise ValueError(
            "is not a database URL of a supported kind; give sqlite:////folder/evenkeel.db or "
            "postgresql+psycopg://user:password@host/name"
        )
    return url


def check_api_key(key: SecretStr) -> SecretStr:
    """Check the administrator's key."""
    if not is_strong_key(key.get_secret_value()):
        raise ValueError(
            f"must have at least {MIN_ENVIRONMENT_KEY_LENGTH} printable ASCII characters, without "
            "blanks; make one with: openssl rand -hex 32"
        )
    return key


def check_redis_url(url: str) -> str:
    """Check the broker's URL."""
    try:
        has_port = urlsplit(url).port != 0
    except ValueError:
        has_port = False
    if not url.startswith(REDIS_PREFIXES):
        raise ValueError(f"must begin with {join_alternatives(REDIS_PREFIXES)}")
    if not has_port:
        raise ValueError("must have a port from 1 to 65535, as in redis://127.0.0.1:6379/0")
    return url


def check_secret_key(keys: SecretStr | None) -> SecretStr | None:
    """Check the keys that encrypt secrets."""
    if keys is not None:
        lengths = [len(key.strip()) for key in keys.get_secret_value().split(",")]
        if min(lengths) < MIN_SECRET_KEY_CHARS:
            raise ValueError(
                f"must have at least {MIN_SECRET_KEY_CHARS} characters; make one with: openssl "
                "rand -hex 24"
            )
    return keys


def check_storage_url(url: str) -> str:
    """Check the URL of the storage, or an empty one."""
    if url and not url.startswith(STORAGE_PREFIXES):
        raise ValueError(f"must begin with {join_alternatives(STORAGE_PREFIXES)}")
    return url


def convert_to_upper_case(text: object) -> object:
    """Return a string in upper case, and anything else for the type's own check."""
    return text.upper() if isinstance(text, str) else text


def check_hub_url(url: str) -> str:
    """Check the address of the hub or a mirror."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", url):
        raise ValueError("must be an http or https URL without user, password and query")
    return url


def check_hub_models(policy: str) -> str:
    """Check ``off``, ``any``, or a list of owners and IDs."""
    from shared.encoders.hub.ids import check_policy  # imported here: it imports the error family

    return check_policy(policy)


def check_host_names(names: str) -> str:
    """Check a list of host names, without ports, or ``*``."""
    pattern = re.compile(r"\*|[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?")
    for name in names.split(","):
        if name.strip() and not pattern.fullmatch(name.strip()):
            raise ValueError("must be host names without ports, separated by commas, or *")
    return names


def is_hub_offline() -> bool:
    """Return whether the hub's own client is told not to ask the hub."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
