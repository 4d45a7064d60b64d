"""What ends a command, as a sentence and an exit code; no command ends with a traceback."""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any, Final

import typer

from cli.errors import BAD_INPUT, CLOSED_PIPE, INTERRUPTED, SUCCEEDED, CliError, Interrupted

TRACEBACK_VARIABLE: Final = "EVENKEEL_TRACEBACK"
"""Environment variable that shows the traceback of an unforeseen error."""


def run_reporting_failures(run: Callable[[], Any]) -> int:
    """Run a command; print what went wrong as one sentence, and return the exit code."""
    exit_code = SUCCEEDED
    try:
        try:
            run()
        except typer.Exit as end:
            exit_code = end.exit_code
        _flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else BAD_INPUT
    except BrokenPipeError:
        _discard_output()
        return CLOSED_PIPE
    except (KeyboardInterrupt, typer.Abort):
        _print_error("Interrupted.")
        return INTERRUPTED
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        is_failure = not isinstance(error, Interrupted)
        _print_error(f"Error: {_describe(error)}" if is_failure else str(error))
        return error.exit_code if isinstance(error, CliError) else BAD_INPUT
    return exit_code


def _describe(error: BaseException) -> str:
    """Describe a failure: what is wrong, where, and what to do."""
    if isinstance(error, CliError):
        return str(error)
    if isinstance(error, typer.TyperException):
        from cli.usage_errors import describe_usage  # imports pydantic

        return describe_usage(error)
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        if error.filename is None:
            return (
                f"Reading or writing failed ({reason}). Check the free space and the permissions."
            )
        path = os.fsdecode(error.filename)
        return f"Cannot use {path} ({reason}). Check the path, its permissions and the free space."
    if isinstance(error, UnicodeError):
        return f"A text is not valid UTF-8 ({error}). Correct the file or the argument."
    kind = type(error).__name__
    return (
        f"An unforeseen error occurred ({kind}: {error}). Set {TRACEBACK_VARIABLE}=1 to see where, "
        "and report it."
    )


def _print_error(text: str) -> None:
    """Print to stderr; whatever goes wrong with the output by now is of no interest."""
    from cli.console import OutputConsole

    try:
        _flush()
    except OSError:  # full disk or closed pipe: the end of the program must not fail again
        _discard_output()
    with contextlib.suppress(OSError):
        console = OutputConsole(stderr=True)
        # a suggested command stays whole on a line of its own
        is_broken = console.is_terminal and "\n" not in text
        console.print(text, style="red", markup=False, soft_wrap=not is_broken)


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _discard_output() -> None:
    """Point the standard output nowhere, so that the end of the program does not fail again."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or not a file
        descriptor = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
