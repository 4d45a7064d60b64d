"""The screens: every folder of this package with a ``routes.py``, found by name."""

import pkgutil
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from fastapi import APIRouter

import api.pages


class NavigationEntry(NamedTuple):
    """A screen's entry in the navigation: ``NAVIGATION`` in its ``routes.py``."""

    title: str
    path: str
    order: int
    """Position; smaller numbers come first."""


@cache
def list_screen_names() -> Sequence[str]:
    """List the folders of the screens."""
    folders = (found.name for found in pkgutil.iter_modules(api.pages.__path__) if found.ispkg)
    return [name for name in folders if find_spec(f"api.pages.{name}.routes") is not None]


def list_routers() -> list[APIRouter]:
    """List the routers of all screens."""
    modules = [import_module(f"api.pages.{name}.routes") for name in list_screen_names()]
    return [module.router for module in modules]


@cache
def list_navigation() -> Sequence[NavigationEntry]:
    """List the entries of the navigation in order."""
    modules = [import_module(f"api.pages.{name}.routes") for name in list_screen_names()]
    found: list[NavigationEntry] = [
        module.NAVIGATION for module in modules if hasattr(module, "NAVIGATION")
    ]
    return sorted(found, key=lambda entry: entry.order)


def has_screen(path: str) -> bool:
    """Return whether the navigation has a screen at this path."""
    return any(entry.path == path for entry in list_navigation())
