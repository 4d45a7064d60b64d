"""API keys: their form, their digest, their scopes, and the names of their owners.

A key is ``ek_<six hexadecimal digits>_<64 hexadecimal digits>``. The part before the second
underscore is its prefix, which is no secret: it names the key in lists and logs.
"""

import hashlib
import re
import secrets
from enum import StrEnum
from typing import NamedTuple

LOCAL_OWNER = "local"
"""The owner of a service without keys, and of the key in EVENKEEL_API_KEY."""
KEY_MARK = "ek_"
MIN_ENVIRONMENT_KEY_LENGTH = 16
_PREFIX_LENGTH = len(KEY_MARK) + 6
_KEY_FORM = re.compile(r"ek_[0-9a-f]{6}_[0-9a-f]{64}")
_NAME_FORM = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
NAME_RULE = (
    "1 to 64 of the characters a-z, 0-9, '.', '_' and '-', the first and the last a letter or a "
    f"digit, and not begin with {KEY_MARK}"
)


class Scope(StrEnum):
    """What a key may do; each scope includes those before it."""

    READ = "read"
    """Read the owner's things, and compute without storing anything."""
    SUBMIT = "submit"
    """Create, change and delete the owner's things too."""
    ADMIN = "admin"
    """See the workers and the load of the installation too."""

    def allows(self, needed: "Scope") -> bool:
        order = list(Scope)
        return order.index(self) >= order.index(needed)


class Caller(NamedTuple):
    """Who sends a request: whose rows it reads and writes, and what it may do with them."""

    owner_id: str
    scope: Scope
    key_name: str
    """Prefix of the key for the log; ``environment`` or ``none`` without a key of its own."""


LOCAL_CALLER = Caller(LOCAL_OWNER, Scope.ADMIN, "none")
"""The caller of every request to a service without keys."""
NO_CALLER = Caller("", Scope.READ, "none")
"""The caller of a request without a key, where keys exist but the path needs none: owns nothing."""
ENVIRONMENT_CALLER = LOCAL_CALLER._replace(key_name="environment")


def make_key() -> str:
    """Return a new key with 256 random bits."""
    return f"{KEY_MARK}{secrets.token_hex(3)}_{secrets.token_hex(32)}"


def get_key_prefix(key: str) -> str:
    return key[:_PREFIX_LENGTH]


def hash_key(key: str) -> str:
    """Return the digest under which a key is stored, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def is_stored_key_form(key: str) -> bool:
    """Return whether a key has the form of those that ``make_key`` returns."""
    return _KEY_FORM.fullmatch(key) is not None


def is_valid_name(name: str) -> bool:
    """Return whether a key or an owner may have this name, which is also a part of model IDs.

    A name that could be the prefix of a key is none: `keys revoke` takes either.
    """
    return _NAME_FORM.fullmatch(name) is not None and not name.startswith(KEY_MARK)


def is_strong_key(key: str) -> bool:
    """Return whether a key that an operator chose is long enough, without blanks."""
    is_sendable = key.isascii() and key.isprintable() and " " not in key
    return is_sendable and len(key) >= MIN_ENVIRONMENT_KEY_LENGTH
