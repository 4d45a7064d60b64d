"""EVENKEEL_* as the command line reads them: what is not understood is one sentence."""

from typing import Any

from pydantic import ValidationError

from cli.errors import CliError
from shared.infra.settings import Settings


def read_settings(**overrides: Any) -> Settings:
    """The environment's settings, but for ``overrides``. Raises CliError about the first that
    is not understood.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = f"EVENKEEL_{first['loc'][0]}".upper() if first["loc"] else "The settings"
        raise CliError(f"{name} cannot be used: {first['msg']}.") from error
