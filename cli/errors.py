"""What the command line says when it cannot do what it was asked: one sentence with the cure,
and an exit code.
"""

JOB_DID_NOT_SUCCEED = 1
BAD_INPUT = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class CliError(Exception):
    """Printed as it is, without a traceback; ``exit_code`` is 1 only where a job ended badly."""

    def __init__(self, message: str, *, exit_code: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.exit_code = exit_code
