"""Logging for the processes: one line an event, a static name first, then key=value pairs; control characters escaped."""

import logging
import sys


class _OneLine(logging.Formatter):
    """Text from outside (ids, file names) must not be able to forge a line or to colour a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        first, *rest = super().format(record).split("\n")
        text = "\n".join([first, *(f"    {line}" for line in rest)])
        return "".join(
            c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
        )


def configure(level: str) -> None:
    """Called once, by a process's own entry point."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _OneLine("%(asctime)s %(levelname)-7s %(name)s %(message)s", datefmt="%H:%M:%S")
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "alembic", "kombu", "amqp"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
