"""Whether a client makes progress: sends its body, takes its response."""

from api.transport.limits import TransportLimits


class BodyPace:
    """The speed of a body, measured in windows in which the server was reading."""

    def __init__(self, limits: TransportLimits) -> None:
        self._limits = limits
        self._started_at = 0.0
        self._bytes_before = 0

    def start_window(self, now: float, received: int) -> None:
        """Begin a window; ``received`` bytes of the body have come before."""
        self._started_at, self._bytes_before = now, received

    def is_too_slow(self, now: float, received: int) -> bool:
        """Whether a window has passed with too few bytes; begins the next one once it has."""
        seconds = now - self._started_at
        if seconds < self._limits.body_seconds:
            return False
        came = received - self._bytes_before
        self.start_window(now, received)
        return came < self._limits.body_bytes_per_second * seconds


class ResponsePace:
    """Whether a client takes the bytes that are written to it."""

    def __init__(self, limits: TransportLimits) -> None:
        self._limits = limits
        self._changed_at = 0.0
        self._bytes_left = 0

    def is_stalled(self, now: float, left: int) -> bool:
        """Whether none of the ``left`` bytes that wait in the server was taken for too long."""
        if left == 0 or left != self._bytes_left:
            self._changed_at, self._bytes_left = now, left
            return False
        return now - self._changed_at > self._limits.unread_seconds
