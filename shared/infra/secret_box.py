"""Encryption of the secrets in the database, with a key of the installation.

The key is ``EVENKEEL_SECRET_KEY``, or else a file in the home that is made when it is first
needed. There may be several keys: the first one encrypts, all of them decrypt.
"""

import base64
import contextlib
import errno
import hashlib
import hmac
import os
import secrets
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.infra.settings import Settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

KEY_FILE_NAME: Final = "secret.key"
_PRIVATE_MODE: Final = 0o600


class SecretUnreadable(Exception):
    """A secret was encrypted with a key that this process does not have."""


class SecretBox:
    """Encrypts and decrypts texts. The key is read at the first use."""

    def __init__(self, settings: Settings) -> None:
        self._given = settings.secret_key
        self._path = settings.home / KEY_FILE_NAME

    def seal(self, text: str) -> str:
        """Return the text encrypted with the first key. Raises OSError if the key's file cannot be
        read or made.
        """
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def unseal(self, sealed: str) -> str:
        """Return the text. Raises SecretUnreadable, and OSError as ``seal`` does."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except (InvalidToken, UnicodeError):
            raise SecretUnreadable(
                "It was encrypted with another key. Set EVENKEEL_SECRET_KEY to the same value for "
                "the API and all workers, or share the file secret.key of their homes."
            ) from None

    def sign(self, purpose: str, text: str) -> str:
        """Return a digest of the text that only a holder of the first key can compute.

        Digests for one ``purpose`` are of no use for another. Raises OSError as ``seal`` does.
        """
        key = hmac.digest(_derive_key(self._keys[0]), f"evenkeel {purpose}".encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()

    @cached_property
    def key_id(self) -> str:
        """Name of the first key, from which the key cannot be computed."""
        return hashlib.sha256(b"evenkeel key id " + _derive_key(self._keys[0])).hexdigest()[:16]

    @cached_property
    def _keys(self) -> list[str]:
        if self._given is not None:
            return split_keys(self._given.get_secret_value())
        return split_keys(_read_or_make_key_file(self._path))

    @cached_property
    def _fernet(self) -> "MultiFernet":
        from cryptography.fernet import Fernet, MultiFernet  # most commands need no encryption

        return MultiFernet([Fernet(_derive_key(key)) for key in self._keys])


def split_keys(text: str) -> list[str]:
    """Split keys at commas and line ends."""
    return [key.strip() for line in text.splitlines() for key in line.split(",") if key.strip()]


def _derive_key(text: str) -> bytes:
    # keys are long and random, so that a plain hash is enough
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())


def _read_or_make_key_file(path: Path) -> str:
    """Return the content of the file, which is made whole or not at all."""
    try:
        return _read_key_file(path)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_urlsafe(32)}\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process made it at the same moment
            path.hardlink_to(unfinished)
        return _read_key_file(path)
    finally:
        unfinished.unlink()


def _read_key_file(path: Path) -> str:
    """Return the content of the file. Raises OSError if it cannot be read or has no key."""
    try:
        text = path.read_text(encoding="ascii")
    except UnicodeError:
        text = ""
    if not split_keys(text):
        raise OSError(errno.EINVAL, "The file has no key; restore it from a backup", str(path))
    return text
