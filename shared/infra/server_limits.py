"""Settings of the HTTP server: under which names it answers, and how much clients may hold open."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.infra.setting_values import check_host_names


class ServerLimits(BaseSettings):
    """A part of ``shared.infra.settings.Settings``, which says how variables are read."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    allowed_hosts: Annotated[str, AfterValidator(check_host_names)] = ""
    """Host names, separated by commas, under which the API answers besides its own; with any given,
    others are refused even where a key is required. ``*`` allows every name.
    """
    connections: int = Field(1_000, ge=16, le=60_000)
    """Most open connections of one API process."""
    connections_per_address: int = Field(400, ge=8, le=60_000)
    """Most open connections from one address; behind a proxy, all come from the proxy's."""
