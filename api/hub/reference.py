"""``hf://owner/name[/config][@revision][:split]``: a split of a data set on the hub."""

import re
from typing import NamedTuple, Self

from shared.domain.errors import InvalidValue

HUB_PREFIX = "hf://"
REFERENCE_SYNTAX = "hf://owner/name[/config][@revision][:split]"
CONFIG_PATTERN = re.compile(r"\w[\w.+ -]{0,63}")
# as on the hub; with the rest of the reference it leaves a file name of fewer than 256
# characters
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
    """A branch, tag or commit; None: the default branch."""
    split: str | None

    @classmethod
    def parse(cls, text: str, *, param: str) -> Self:
        """Raises InvalidValue."""
        found = _REFERENCE_PATTERN.fullmatch(text)
        if found is None or len(found["repository"]) > MAX_REPOSITORY_LENGTH:
            raise InvalidValue(f"A data set of the hub is written {REFERENCE_SYNTAX}.", param=param)
        return cls(found["repository"], found["config"], found["revision"], found["split"])


def build_filename(repository: str, config: str, split: str, commit: str) -> str:
    """What the split at this commit is called here, and no other: no name on the hub has two
    hyphens in a row, no split has one.
    """
    return "--".join([*repository.split("/"), config, split, commit]) + ".jsonl.gz"
