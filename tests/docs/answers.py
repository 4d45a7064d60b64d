"""Whether what came is what a page shows, which leaves things out (``…``) and has numbers of
another day.

Of JSON keys, words, truth values and nulls are compared, of other output lines and words.
Numbers and sentences may differ, and so may what another encoder makes of the same data.
"""

import json
import re
from typing import Any, Final

LEFT_OUT: Final = "…"
_REST: Final = "\N{HORIZONTAL ELLIPSIS} and more"
_TOKEN: Final = re.compile(
    r'"(?:[^"\\]|\\.)*"|\s+|.'
)  # strings whole: an ellipsis in one is its own
OUTCOMES: Final = frozenset({"predicted", "verdict"})
WAITING: Final = frozenset({"queued", "running"})
_NUMBER: Final = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)")


def difference(shown: str, came: str) -> str | None:
    """In words, or None where they agree."""
    if shown[:1] not in ("{", "["):
        return None if _lines_agree(shown.splitlines(), came.splitlines()) else "other lines came"
    try:
        answer = json.loads(came)
    except ValueError:
        return "no JSON came"
    return _compare(parse(shown), answer, "the answer")


def parse(shown: str) -> Any:
    """JSON in which ``…`` may stand for members, elements, or any value. Raises ValueError."""
    tokens: list[str] = []
    inside = ""
    before = ""
    for token in _TOKEN.findall(shown):
        if token in "{[":
            inside += token
        elif token in "}]":
            inside = inside[:-1]
        if token == LEFT_OUT:
            token = f'"{_REST}": 0' if inside.endswith("{") and before != ":" else f'"{_REST}"'
        before = token if token.strip() else before
        tokens.append(token)
    return json.loads("".join(tokens))


def _compare(shown: Any, came: Any, where: str) -> str | None:
    if shown == _REST:
        return None
    if _kind(shown) != _kind(came):
        return f"{where} is {_kind(came)}, not {_kind(shown)}"
    if isinstance(shown, dict):
        return _compare_members(shown, came, where)
    if isinstance(shown, list):
        return _compare_elements(shown, came, where)
    if isinstance(shown, str) and not _agree(shown, came):
        return f"{where} is {came!r}, not {shown!r}"
    return None


def _compare_members(shown: dict[str, Any], came: dict[str, Any], where: str) -> str | None:
    wanted = {
        key: _worded(value) if key in OUTCOMES else value
        for key, value in shown.items()
        if key != _REST
    }
    if not wanted.keys() <= came.keys():
        return f"{where} has no {', '.join(wanted.keys() - came.keys())}"
    if _REST not in shown and came.keys() - wanted.keys():
        return f"{where} has also {', '.join(came.keys() - wanted.keys())}"
    return next(
        filter(
            None, (_compare(value, came[key], f"{where}.{key}") for key, value in wanted.items())
        ),
        None,
    )


def _compare_elements(shown: list[Any], came: list[Any], where: str) -> str | None:
    wanted = [value for value in shown if value != _REST]
    if len(came) < len(wanted) or (len(wanted) == len(shown) and len(came) > len(wanted)):
        return f"{where} has {len(came)} elements, not {len(wanted)}"
    pairs = enumerate(zip(wanted, came, strict=False))
    return next(
        filter(None, (_compare(one, other, f"{where}[{i}]") for i, (one, other) in pairs)), None
    )


def _worded(value: Any) -> Any:
    """With a sentence for every word."""
    if isinstance(value, dict):
        return {key: _worded(inner) for key, inner in value.items()}
    return f"{value} " if isinstance(value, str) and value != _REST else value


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return {int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}[
        type(value)
    ]


def _agree(shown: str, came: str) -> bool:
    """A sentence agrees with any other, a word with itself; what waits for a worker may have
    found one since.
    """
    return " " in shown or {shown, came} <= WAITING or _pattern(shown).fullmatch(came) is not None


def _pattern(shown: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, shown.split(LEFT_OUT))))


def _lines_agree(shown: list[str], came: list[str]) -> bool:
    """A line of nothing but ``…`` is any number of lines."""
    if not shown:
        return not came
    if shown[0].strip() == LEFT_OUT:
        return any(_lines_agree(shown[1:], came[skipped:]) for skipped in range(len(came) + 1))
    return bool(came) and _line_agrees(shown[0], came[0]) and _lines_agree(shown[1:], came[1:])


def _line_agrees(shown: str, came: str) -> bool:
    plain_shown, plain_came = (" ".join(_NUMBER.sub("0", line).split()) for line in (shown, came))
    return _pattern(plain_shown).fullmatch(plain_came) is not None
