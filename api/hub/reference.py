"""References ``hf://owner/name[/config][@revision][:split]`` to splits of data sets on the hub."""

import re
from typing import NamedTuple, Self

from shared.domain.errors import InvalidValue

HUB_PREFIX = "hf://"
REFERENCE_SYNTAX = "hf://owner/name[/config][@revision][:split]"
CONFIG_PATTERN = re.compile(r"\w[\w.+ -]{0,63}")
# as on the hub; a file name of this and the rest of the reference stays below 256 characters
MAX_REPOSITORY_LENGTH = 96
_NAME_PATTERN = r"(?![^/@:]*(--|\.\.))[A-Za-z0-9][A-Za-z0-9._-]*"
_REFERENCE_PATTERN = re.compile(
    rf"hf://(?P<repository>{_NAME_PATTERN}/{_NAME_PATTERN})"
    rf"(/(?P<config>{CONFIG_PATTERN.pattern}))?"
    r"(@(?P<revision>\w[\w./-]{0,99}))?"
    r"(:(?P<split>\w[\w.]{0,31}))?"
)


class HubReference(NamedTuple):
    repository: str
    """``owner/name``."""
    config: str | None
    revision: str | None
    """A branch, tag or commit; None for the default branch."""
    split: str | None

    @classmethod
    def parse(cls, text: str, *, param: str) -> Self:
        """Parse a reference. Raises InvalidValue."""
        match = _REFERENCE_PATTERN.fullmatch(text)
        if match is None or len(match["repository"]) > MAX_REPOSITORY_LENGTH:
            raise InvalidValue(
                f"The reference to a data set on the hub is malformed; write {REFERENCE_SYNTAX}.",
                param=param,
            )
        return cls(match["repository"], match["config"], match["revision"], match["split"])


def build_filename(repository: str, config: str, split: str, commit: str) -> str:
    """Return the name under which the split at this commit is stored.

    Names are unique: no name on the hub contains two hyphens in a row, and no split contains one.
    """
    return "--".join([*repository.split("/"), config, split, commit]) + ".jsonl.gz"
