"""Values of options that are more than a word or a number, as the request has them."""

import math
from collections.abc import Sequence
from typing import Any, Final

from cli.errors import CliError

MAX_DIGITS: Final = 18
"""Longest integer of an option; Python refuses to convert thousands of digits."""
WEIGHT_WORDS: Final = frozenset({"balanced", "none"})


def parse_header(text: str) -> bool | str:
    """Read ``true`` and ``false``; leave ``auto`` and invalid values to the service."""
    return {"true": True, "false": False}.get(text.casefold(), text)


def parse_column(text: str | None) -> int | str | None:
    """Read a whole number as a column's index, anything else as its name."""
    return int(text) if text is not None and _is_short_integer(text) else text


def parse_setting(text: str | None) -> int | float | str | None:
    """Read ``3`` and ``5e-5`` as numbers; leave ``auto`` and invalid values to the service."""
    if text is None or _is_short_integer(text):
        return None if text is None else int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def parse_class_weights(values: Sequence[str] | None) -> str | dict[str, float] | None:
    """Read ``balanced``, ``none``, or LABEL=WEIGHT: several in a value, or in several values."""
    if not values:
        return None
    if WEIGHT_WORDS.intersection(values):
        if len(values) > 1:
            raise CliError(f"--class-weights: {values[0]!r} and {values[1]!r} exclude each other.")
        return values[0]
    weights: dict[str, float] = {}
    for value in values:
        pending: list[str] = []  # parts of a label that has commas
        for part in value.split(","):
            pending.append(part)
            label, _, weight = ",".join(pending).rpartition("=")
            if label:
                _add_weight(weights, label, weight)
                pending.clear()
        if pending:
            raise CliError(
                f"--class-weights: {value!r} is not balanced, none or LABEL=WEIGHT. "
                "Example: --class-weights good=1,bad=2"
            )
    return weights


def _add_weight(weights: dict[str, float], label: str, text: str) -> None:
    number = parse_setting(text.strip())
    if isinstance(number, str) or number is None or number <= 0:
        raise CliError(f"--class-weights: the weight of {label!r} is {text!r}. Give one above 0.")
    if label in weights:
        raise CliError(f"--class-weights: {label!r} has two weights. Give one.")
    weights[label] = float(number)


def parse_early_discard(text: str | None) -> dict[str, int | float] | None:
    """Read START:KEEP, the numbers of runs that start and that continue."""
    if text is None:
        return None
    numbers = text.split(":")
    if len(numbers) != 2 or not all(map(_is_short_integer, numbers)):
        raise CliError(
            f"--early-discard: {text!r} is not START:KEEP. "
            "Example: --early-discard 20:5 starts 20 runs and continues the best 5."
        )
    return {"start": int(numbers[0]), "keep": int(numbers[1])}


def parse_recipe_settings(values: Sequence[str] | None) -> dict[str, Any]:
    """Read NAME=VALUE pairs of further recipe settings."""
    words = {"true": True, "false": False}
    pairs = parse_pairs("--set", values, example="warmup_ratio=0.2")
    return {name: words.get(text.casefold(), parse_setting(text)) for name, text in pairs.items()}


def parse_pairs(option: str, values: Sequence[str] | None, *, example: str) -> dict[str, str]:
    """Read NAME=VALUE pairs, each name once."""
    pairs: dict[str, str] = {}
    for value in values or ():
        name, separator, text = value.partition("=")
        if not name or not separator:
            raise CliError(f"{option}: {value!r} is not NAME=VALUE. Example: {option} {example}")
        if name in pairs:
            raise CliError(f"{option}: {name} is given twice. Give it once.")
        pairs[name] = text
    return pairs


def _is_short_integer(text: str) -> bool:
    return text.isdecimal() and len(text) <= MAX_DIGITS
