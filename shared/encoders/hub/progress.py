"""What a job's events say of the download of its model."""

import time

from shared.domain.hub_model import HubModel

MIN_INTERVAL_S = 5.0
STEP_PERCENT = 10


class DownloadProgress:
    """Decides when a download is worth a sentence, and writes it."""

    def __init__(self, model: HubModel) -> None:
        self._model = model
        self._percent: int | None = None
        self._said_at = 0.0

    def describe(self, received: int) -> str | None:
        """Return a sentence at the start, and every 10% at most every 5 seconds; else None."""
        total = self._model.total_bytes
        percent = 100 * received // max(total, 1)
        now = time.monotonic()
        is_first = self._percent is None
        if not is_first and (
            percent < (self._percent or 0) + STEP_PERCENT or now < self._said_at + MIN_INTERVAL_S
        ):
            return None
        self._percent, self._said_at = percent, now
        if is_first and received == 0:
            return f"Downloading {self._model.title} from the hub ({format_megabytes(total)})."
        return (
            f"Downloading {self._model.title}: {percent}% "
            f"({format_megabytes(received)} of {format_megabytes(total)})."
        )

    @property
    def has_begun(self) -> bool:
        """Whether something was said: the model was not in the cache."""
        return self._percent is not None

    def describe_end(self) -> str:
        return (
            f"Downloaded and verified {self._model.title} "
            f"({format_megabytes(self._model.total_bytes)})."
        )


def format_megabytes(size: int) -> str:
    """Return a size in MB: ``0.4 MB``, ``438 MB``."""
    megabytes = size / 1e6
    return f"{megabytes:.1f} MB" if megabytes < 10 else f"{megabytes:,.0f} MB"
