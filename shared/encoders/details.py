"""What the catalogue says about an encoder beyond the facts that recipes need.

Everything is read from files of the model's folder and kept until one of them changes, so that a
list of many models costs little.
"""

import json
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from pydantic import NonNegativeInt, PositiveInt

from shared.domain.stored import StoredModel
from shared.encoders.model_card import read_model_card
from shared.encoders.sentence_pooling import USUAL_FOLDER, read_pooling
from shared.encoders.validation.errors import UnfitModel
from shared.encoders.validation.memory import count_parameters
from shared.encoders.validation.weight_files import read_weights

_MAX_KEPT_FOLDERS = 1024
_CONFIG_FILE = "config.json"
_HEADS_KEYS = ("num_attention_heads", "n_heads")
"""Names of the number of heads in the families' configs."""

Fingerprint = tuple[tuple[str, int, int], ...]
"""Name, modification time and size of the files that the details come from."""


class EncoderDetails(StoredModel):
    """Properties of an encoder for people who choose one."""

    parameters: NonNegativeInt | None = None
    """Floating-point numbers in its weights; null if that is unknown."""
    num_attention_heads: PositiveInt | None = None
    """Attention heads of a layer, on which the memory for training depends."""
    languages: tuple[str, ...] = ()
    """Languages that its model card names."""
    pooling: str | None = None
    """How it pools a text's tokens as a sentence encoder (`mean`, `cls`, …); null if it is none."""
    license: str | None = None
    """License that its model card names."""


def read_details(folder: Path) -> EncoderDetails:
    """Return the details of a model's folder; what its files do not say stays empty."""
    return _read_details(folder, _compute_fingerprint(folder))


def _compute_fingerprint(folder: Path) -> Fingerprint:
    found = []
    for file in (*sorted(folder.glob("*")), folder / USUAL_FOLDER / _CONFIG_FILE):
        with suppress(OSError):  # a file that cannot be read says nothing
            status = file.stat()
            found.append((file.name, status.st_mtime_ns, status.st_size))
    return tuple(found)


@lru_cache(maxsize=_MAX_KEPT_FOLDERS)
def _read_details(folder: Path, _files: Fingerprint) -> EncoderDetails:
    card = read_model_card(folder)
    return EncoderDetails(
        parameters=_count_parameters(folder),
        num_attention_heads=_read_heads(folder),
        languages=card.languages,
        pooling=read_pooling(folder),
        license=card.license,
    )


def _count_parameters(folder: Path) -> int | None:
    """Return the parameters in the weights files; None if a file is missing or malformed."""
    try:
        return count_parameters(read_weights(folder)) or None
    except (UnfitModel, OSError):
        return None


def _read_heads(folder: Path) -> int | None:
    config = _read_json_object(folder / _CONFIG_FILE)
    heads = next((config[key] for key in _HEADS_KEYS if key in config), None)
    return heads if isinstance(heads, int) and heads > 0 else None


def _read_json_object(file: Path) -> dict[str, object]:
    """Return the object in a JSON file; an empty one for a missing or malformed file."""
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
