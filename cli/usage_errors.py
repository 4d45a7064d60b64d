"""Wrong command lines in the program's own words: the option, what it accepts, and its help."""

from typing import Any, Final

_OWN_MESSAGE: Final = "value_error"
"""Type of an error whose text is typer's, such as the list of the words that an option accepts."""


def describe_usage(error: Any) -> str:
    """Describe a wrong command line, and name the help of its command."""
    message = _describe_value(error) or str(error.format_message()).strip()
    context = getattr(error, "ctx", None)
    path = "evenkeel" if context is None else context.command_path
    ended = message if message.endswith((".", "?")) else f"{message}."
    return f"{ended} See: {path} --help"


def _describe_value(error: Any) -> str | None:
    """Describe a value of the wrong kind or size; None for another error."""
    from pydantic import ValidationError

    from shared.domain.invalid_values import describe_invalid_value

    cause, parameter = error.__cause__, getattr(error, "param", None)
    if not isinstance(cause, ValidationError) or parameter is None:
        return None
    errors = cause.errors()
    first = errors[0]
    if first["type"] == _OWN_MESSAGE:
        return f"{_name_parameter(parameter, error.ctx)}: {first['ctx']['error']}"
    return f"{_name_parameter(parameter, error.ctx)} {describe_invalid_value(errors)}"


def _name_parameter(parameter: Any, context: Any) -> str:
    """Return the name under which the value was given: the option, the variable, the argument."""
    source = None if context is None else context.get_parameter_source(parameter.name)
    if source is not None and source.name == "ENVIRONMENT" and isinstance(parameter.envvar, str):
        return parameter.envvar
    names = [name for name in parameter.opts if name.startswith("--")]
    return names[0] if names else str(parameter.metavar or parameter.name.upper())
