"""``hf://owner/name[/config][@revision][:split]``: a split of a data set on the hub."""

import re
from typing import NamedTuple, Self

from shared.errors import InvalidValue

HUB = "hf://"
GRAMMAR = "hf://owner/name[/config][@revision][:split]"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REFERENCE = re.compile(
    rf"hf://(?P<owner>{_NAME})/(?P<name>{_NAME})"
    r"(/(?P<config>\w[\w.+ -]{0,63}))?"
    r"(@(?P<revision>\w[\w./-]{0,99}))?"
    r"(:(?P<split>\w{1,32}(\.\w{1,32})*))?"
)


class Reference(NamedTuple):
    repository: str
    """``owner/name``."""
    config: str | None
    revision: str | None
    """A branch, tag or commit; None: the default branch."""
    split: str | None

    @classmethod
    def parse(cls, text: str, *, param: str) -> Self:
        """Raises InvalidValue."""
        found = _REFERENCE.fullmatch(text)
        if found is None:
            raise InvalidValue(f"A data set of the hub is written {GRAMMAR}.", param=param)
        return cls(f"{found['owner']}/{found['name']}", found["config"], found["revision"], found["split"])


def filename(repository: str, config: str, split: str, commit: str) -> str:
    """What the split at this commit is called here, and nothing else is; no name on the hub has two hyphens in a row."""
    return "--".join([*repository.split("/"), config, split, commit]) + ".jsonl.gz"
