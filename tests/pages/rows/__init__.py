"""What every route of a page needs: one module a screen, with ``ROWS``.

``tests/security/test_page_matrix.py`` fails for a route without a row.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple

from shared.domain.api_keys import Scope

READ, SUBMIT = Scope.READ, Scope.SUBMIT


class PageRow(NamedTuple):
    """What a route of a page needs."""

    scope: Scope | None
    """Scope that the page needs; None if anybody may see it."""
    form: Mapping[str, str] = {}
    """Fields of the form, for a POST; ``{file_id}`` and the like stand for things of an owner."""
    query: str = ""
    """Query of the address, with things of an owner as in the path."""
    is_shared: bool = False
    """Whether the route names nothing of an owner."""


def collect_rows() -> dict[str, PageRow]:
    """Return the rows of all screens, by method and path."""
    rows: dict[str, PageRow] = {}
    for found in pkgutil.iter_modules(__path__):
        rows |= import_module(f"{__name__}.{found.name}").ROWS
    return rows
