"""How a sentence encoder pools its token states, as its folder says."""

import json
from pathlib import Path
from typing import Any, Literal

SentencePooling = Literal["cls", "mean"]
"""The poolings that a recipe has too."""
MODULES_FILE = "modules.json"
USUAL_FOLDER = "1_Pooling"
POOLING_FILES = (MODULES_FILE, f"{USUAL_FOLDER}/config.json")
"""Usual names of the files that say how an encoder pools."""
SENTENCE_FILES = (*POOLING_FILES, "sentence_bert_config.json")
"""These, and how long its texts may be."""
_POOLING_TYPE = ".Pooling"
"""End of the module's type; what comes before depends on the version that wrote the folder."""
_MODE_KEY = "pooling_mode"
"""Newer configs have it with a name as its value; older ones a switch per name."""
_NAMES = {
    "cls_token": "cls",
    "mean_tokens": "mean",
    "max_tokens": "max",
    "mean_sqrt_len_tokens": "mean_sqrt_len",
    "weightedmean_tokens": "weighted_mean",
    "lasttoken": "last_token",
}
_MAX_BYTES = 100_000


def read_pooling(folder: Path) -> str | None:
    """Return the pooling of a folder in the format of sentence-transformers, such as ``mean``.

    Several poolings, whose vectors are concatenated, are joined by ``+``. None if the folder is not
    of that format or cannot be read, which is no error: recipes work without the knowledge.
    """
    try:
        config = _load_json(folder / _find_pooling_folder(folder) / "config.json")
        named = config.get(_MODE_KEY)
        if isinstance(named, str):
            return named if named in _NAMES.values() else None
        modes = [name for key, name in _NAMES.items() if config.get(f"{_MODE_KEY}_{key}") is True]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return "+".join(modes) or None


def select_sentence_pooling(pooling: str | None) -> SentencePooling | None:
    """Return a pooling that recipes have, or None."""
    return "mean" if pooling == "mean" else "cls" if pooling == "cls" else None


def _find_pooling_folder(folder: Path) -> str:
    """Return the name of the subfolder of the pooling module. Raises ValueError and others."""
    if not (folder / MODULES_FILE).exists():
        return USUAL_FOLDER
    modules = _load_json(folder / MODULES_FILE)
    [path] = [one["path"] for one in modules if one["type"].endswith(_POOLING_TYPE)]
    if not path or Path(path).name != path:
        raise ValueError(f"{MODULES_FILE} names a path out of the folder")
    return str(path)


def _load_json(path: Path) -> Any:
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f"{path.name} is too large")
    return json.loads(path.read_bytes())
