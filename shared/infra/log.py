"""Logging of all processes: one line per event, a static name followed by key=value pairs.
Control characters are escaped.
"""

import logging
import sys


class _OneLineFormatter(logging.Formatter):
    """Escape text from outside (ids, file names), so that it cannot forge a line or color a
    terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        first, *rest = super().format(record).split("\n")
        text = "\n".join([first, *(f"    {line}" for line in rest)])
        return "".join(
            c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
        )


def configure_logging(level: str) -> None:
    """Configure logging. Called once, by the entry point of a process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _OneLineFormatter("%(asctime)s %(levelname)-7s %(name)s %(message)s", datefmt="%H:%M:%S")
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # the addresses that HTTP libraries log may be signed
    for noisy in ("httpx", "httpx2", "httpcore", "httpcore2", "alembic", "kombu", "amqp"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # a warning for every malformed upload, which the client has been told of
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
