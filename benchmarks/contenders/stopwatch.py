"""Wall time that survives interruptions: the seconds of each session are added up in a file."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Stopwatch:
    """Adds up the seconds that several sessions have spent on the same work."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def seconds(self) -> float:
        """Seconds of all sessions that have ended."""
        return float(self._path.read_text("utf-8")) if self._path.is_file() else 0.0

    @contextmanager
    def run(self) -> Iterator[None]:
        """Count the time of the block, however it ends."""
        began, earlier = time.monotonic(), self.seconds
        try:
            yield
        finally:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(f"{earlier + time.monotonic() - began:.1f}\n", "utf-8")

    def reset(self) -> None:
        """Forget all sessions."""
        self._path.unlink(missing_ok=True)
