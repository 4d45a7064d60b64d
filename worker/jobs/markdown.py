"""Texts of users in a model card, whose readers render Markdown, HTML and YAML."""

import html
import json
import re
from typing import Final

from shared.domain.visible_text import show_controls

_ACTIVE: Final = re.compile(r"[\\`*\[\]|~$@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_LINK: Final = re.compile(r"://|\bwww\.", re.IGNORECASE)
_NOT_ASCII: Final = re.compile(r"[^\x20-\x7e]")
_PLAIN_SCALAR: Final = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_YAML_WORDS: Final = {"false", "n", "no", "null", "off", "on", "true", "y", "yes"}


def escape_markdown(text: object) -> str:
    """Return one line that renders as the text itself, with no markup and no link."""
    line = " ".join(show_controls(str(text)).splitlines())
    escaped = _ACTIVE.sub(r"\\\g<0>", line)
    unlinked = _LINK.sub(lambda match: f"{match[0][:-1]}\\{match[0][-1]}", escaped)
    return html.escape(unlinked, quote=False)


def format_code(text: object) -> str:
    """Return the text as a code span, which may stand in a table."""
    line = " ".join(show_controls(str(text)).splitlines())
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    blank = " " if longest or not line.strip() else ""
    return f"{fence}{blank}{line}{blank}{fence}".replace("|", "\\|")


def format_yaml(text: object) -> str:
    """Return the text as a YAML scalar, quoted where it would not be a string otherwise."""
    value = str(text)
    if _PLAIN_SCALAR.fullmatch(value) and value.lower() not in _YAML_WORDS:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    # not JSON's own escapes: YAML reads a pair of surrogates as two characters
    return _NOT_ASCII.sub(lambda match: f"\\U{ord(match[0]):08x}", quoted)
