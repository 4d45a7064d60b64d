"""JSON files of a model folder, read with bounds and as strictly as transformers reads them."""

import json
from pathlib import Path
from typing import Any, NoReturn

from shared.encoders.validation.errors import UnfitModel, refuse_damaged

MAX_SETTINGS_BYTES = 8 * 1024**2
"""Largest JSON file but tokenizer.json; a config with the names of 100,000 labels has 5 MB."""


def read_json_object(file: Path, max_bytes: int = MAX_SETTINGS_BYTES) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises UnfitModel for a file that is too large, damaged, or no object, and OSError.
    """
    size = file.stat().st_size
    if size > max_bytes:
        raise UnfitModel(
            f"has a {file.name} of {size:,} bytes, and at most {max_bytes:,} are read. "
            "Copy the file from the original model."
        )
    content = _parse_json(file.name, file.read_bytes())
    if not isinstance(content, dict):
        raise refuse_damaged(file.name, "it is no JSON object")
    return content


def _parse_json(file_name: str, content: bytes) -> object:
    def refuse_constant(constant: str) -> NoReturn:
        raise refuse_damaged(file_name, f"it contains {constant}, which is no number")

    try:
        return json.loads(content.decode("utf-8"), parse_constant=refuse_constant)
    except RecursionError:
        raise refuse_damaged(file_name, "it is nested too deeply") from None
    except ValueError:  # no UTF-8, no JSON, or a number with thousands of digits
        raise refuse_damaged(file_name) from None
