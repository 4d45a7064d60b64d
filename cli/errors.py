"""Exit codes of the command line, and the errors that are printed as messages."""

from typing import Final

SUCCEEDED: Final = 0
JOB_DID_NOT_SUCCEED: Final = 1
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130  # 128 + SIGINT, as in shells
CLOSED_PIPE: Final = 141  # 128 + SIGPIPE, as in shells

EXIT_CODES: Final = {
    SUCCEEDED: "the command did what was asked",
    JOB_DID_NOT_SUCCEED: "a job failed or was cancelled, a part of the service did not start, or "
    "`doctor` left a problem",
    BAD_INPUT: "the command cannot be carried out: wrong input, a refused request, no service",
    INTERRUPTED: "the command was interrupted with Ctrl-C",
    CLOSED_PIPE: "the reader of the output has gone, as in `evenkeel jobs | head -1`",
}
"""What each exit code of ``evenkeel`` means; docs/cli.md says the same."""

_ID_PARAMETERS: Final = frozenset({"fine_tuning_job_id", "job_ids", "run_id", "file_id"})
"""Parameters that are an argument of the command, whose text the message quotes."""


class CliError(Exception):
    """A failure with a message for the user: what is wrong and what to do about it."""

    def __init__(self, message: str, *, exit_code: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class RequestRefused(CliError):
    """The service's refusal of a request."""

    def __init__(self, message: str, *, code: str | None, param: str | None) -> None:
        is_named = not param or param in message or param in _ID_PARAMETERS
        super().__init__(message if is_named else f"{message} (param: {param})")
        self.code = code
        self.param = param
        self.reason = message
        """The message without the name of the parameter."""


class Interrupted(CliError):
    """Ctrl-C, with what goes on and what can be done about it."""

    def __init__(self, message: str = "Interrupted.") -> None:
        super().__init__(message, exit_code=INTERRUPTED)
