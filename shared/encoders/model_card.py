"""Languages and license of a model, from the YAML block at the head of its card (README.md)."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_CARD_FILE = "README.md"
_MAX_HEAD_BYTES = 64 * 1024
_MAX_LANGUAGES = 200
_MAX_CHARS = 80
_FENCE = "---"


class ModelCard(NamedTuple):
    languages: tuple[str, ...] = ()
    """Codes as the card writes them; empty if it names none."""
    license: str | None = None


def read_model_card(folder: Path) -> ModelCard:
    """Return what the card of a model says; nothing for a card that is missing or malformed."""
    try:
        with (folder / _CARD_FILE).open("rb") as stream:
            text = stream.read(_MAX_HEAD_BYTES).decode(errors="replace")
    except OSError:
        return ModelCard()
    fields = _parse_head(text)
    license_name = _list_texts(fields.get("license"))
    if license_name == ["other"]:
        license_name = _list_texts(fields.get("license_name")) or license_name
    return ModelCard(
        languages=tuple(_list_texts(fields.get("language"))[:_MAX_LANGUAGES]),
        license=", ".join(license_name)[:_MAX_CHARS] or None,
    )


def _parse_head(text: str) -> Mapping[str, object]:
    """Parse the block between the first two fences; an empty mapping without a valid one.

    The base loader makes texts of all scalars, so that the language ``no`` is not False, and has
    no merge keys, which can multiply a small block.
    """
    import yaml  # imported here: most processes read no card

    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].rstrip() != _FENCE:
        return {}
    end = next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), None)
    try:
        fields = yaml.load("\n".join(lines[1:end]), Loader=yaml.BaseLoader) if end else None
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _list_texts(value: object) -> list[str]:
    """Return a text, or the texts of a list, each shortened."""
    values = value if isinstance(value, list) else [value]
    return [text[:_MAX_CHARS] for text in values if isinstance(text, str) and text]
