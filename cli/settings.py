"""Settings from EVENKEEL_* variables, with an invalid one reported as a CliError."""

from typing import Any

from pydantic import ValidationError

from cli.errors import CliError
from shared.encoders.model_dirs import find_model_dirs_problem
from shared.infra.settings import Settings, describe_invalid_settings


def read_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment; ``overrides`` take precedence.

    Raises CliError for the first invalid one.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise CliError(describe_invalid_settings(error)) from error


def read_service_settings(**overrides: Any) -> Settings:
    """Read the settings of a process that uses base models.

    Raises CliError for an invalid one, and for a folder of models that cannot be used.
    """
    settings = read_settings(**overrides)
    problem = find_model_dirs_problem(settings.model_folders)
    if problem is not None:
        raise CliError(problem)
    return settings
