"""Exit codes of the command line, and the error that is printed as a message."""

JOB_DID_NOT_SUCCEED = 1
BAD_INPUT = 2
INTERRUPTED = 130  # 128 + SIGINT, as in shells


class CliError(Exception):
    """A failure with a message for the user: what is wrong and what to do about it."""

    def __init__(self, message: str, *, exit_code: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.exit_code = exit_code
