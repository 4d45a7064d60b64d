"""The entry point of the ``evenkeel`` program.

Everything is imported where Ctrl-C is caught, because the imports take a part of a second.
"""

import sys


def main() -> None:
    """Run the program and exit with its code."""
    try:
        from cli.program import run_program

        exit_code = run_program(sys.argv[1:])
    except KeyboardInterrupt:  # outside the command, which reports it itself
        exit_code = 130  # cli.errors.INTERRUPTED, which may not have been imported yet
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
