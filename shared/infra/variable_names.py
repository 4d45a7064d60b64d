"""Misspelled names of ``EVENKEEL_*`` variables, which would otherwise have no effect unnoticed."""

import logging
from collections.abc import Iterator, Mapping

from shared.domain.nearest_name import find_nearest_name
from shared.infra.settings import ENV_PREFIX, Settings

log = logging.getLogger(__name__)

OTHER_NAMES = frozenset({"BIND", "MODELS", "STARTED_FD", "TAG", "TRACEBACK", "URL"})
"""Variables that are no settings: of the command line and of the compose file."""
OTHER_SUFFIXES = ("_MEMORY",)
LIKENESS = 0.75
"""Higher than for fields: platforms add variables of their own, such as EVENKEEL_SERVICE_HOST."""
PREFIX, PREFIX_LIKENESS = ENV_PREFIX.removesuffix("_"), 0.8
_MAX_NAME = 80


def list_misspelled_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence on each variable whose name is close to that of a setting, but not one."""
    return [
        f"{name} is not a setting, so it has no effect. Did you mean {meant}?"
        for name, meant in _iterate_misspelled(environment)
    ]


def warn_misspelled_variables(environment: Mapping[str, str]) -> None:
    """Log a warning for each misspelled variable."""
    for sentence in list_misspelled_variables(environment):
        log.warning("misspelled_variable %s", sentence)


def _iterate_misspelled(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the names of misspelled variables, in the prefix or after it, and what they mean."""
    settings = {field.upper() for field in Settings.model_fields}
    known = settings | OTHER_NAMES
    for name in sorted(environment):
        head, _, tail = name.upper().partition("_")
        if head == PREFIX and tail not in known and not tail.endswith(OTHER_SUFFIXES):
            nearest = find_nearest_name(tail[:_MAX_NAME], known, LIKENESS)
        elif head != PREFIX and find_nearest_name(head[:_MAX_NAME], [PREFIX], PREFIX_LIKENESS):
            nearest = tail if tail in settings else None
        else:
            nearest = None
        if nearest is not None:
            yield name, f"{ENV_PREFIX}{nearest}"
