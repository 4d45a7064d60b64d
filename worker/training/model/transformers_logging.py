"""Keep transformers' load reports and progress bars out of the trainer's log while a model is
read or written.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging


@contextmanager
def silence_transformers() -> Iterator[None]:
    """What is new in the network is known and tested here; transformers' report on it would
    read like an alarm.
    """
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
