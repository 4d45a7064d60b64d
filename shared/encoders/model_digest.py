"""The digest of a base model: of its config, weights and tokenizer, whatever folder they are in.

It pins a job to the model that it was created with; the reasons are in
docs/decisions/0037-digest-of-the-base-model.md. Files that training does not read, such as a
README, do not count.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

from shared.domain.naming import WEIGHTS_FILE
from shared.encoders.sentence_pooling import SENTENCE_FILES
from shared.encoders.validation.tokenizer_files import TOKENIZER_FILES
from shared.encoders.validation.weight_files import INDEX_FILE, list_weight_files

SETTINGS_FILES = ("config.json", "tokenizer.model", *TOKENIZER_FILES, *SENTENCE_FILES)
"""All files that training reads, except the weights."""
_REMEMBERED_FILES = 1024


def compute_model_digest(folder: Path) -> str:
    """Return the SHA-256 of the names and digests of the files that training reads.

    A file is read once by this process, and again only when its size, its times or its inode
    change. Raises UnfitModel for an index of weights that cannot be followed, and OSError.
    """
    weights = list_weight_files(folder)
    read = {path for name in SETTINGS_FILES if (path := folder / name).is_file()} | set(weights)
    if weights != [folder / WEIGHTS_FILE]:
        read.add(folder / INDEX_FILE)
    lines = [f"{path.relative_to(folder).as_posix()} {_hash_unchanged(path)}" for path in read]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _hash_unchanged(path: Path) -> str:
    found = path.stat()
    state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return _hash_file(path, state)


@lru_cache(maxsize=_REMEMBERED_FILES)
def _hash_file(path: Path, _state: tuple[int, ...]) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
