"""Settings from EVENKEEL_* variables, with an invalid one reported as a CliError."""

from typing import Any

from pydantic import ValidationError

from cli.errors import CliError
from shared.infra.settings import Settings


def read_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment; ``overrides`` take precedence.

    Raises CliError for the first invalid one.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        subject = f"EVENKEEL_{first['loc'][0]}".upper() + " is" if first["loc"] else "Settings are"
        raise CliError(f"{subject} invalid: {first['msg']}.") from error
