"""Timings of one part of the service that another part depends on.

Settings (``EVENKEEL_*``) have their own module. A timing that only its own module depends on stays
there. ``tests/shared/test_timings.py`` checks the relations.
"""

from typing import Final

# A run is stopped
FLUSH_INTERVAL_S: Final = 0.5
"""Between the worker's transactions that store a run's points and read its flags."""
STOP_TIMEOUT_S: Final = 0.8
"""For a run to stop after the worker's request; longer than most steps. Then the trainer is
killed.
"""
TERMINATE_TIMEOUT_S: Final = 0.3
"""For the trainer to end after SIGTERM; then it gets SIGKILL."""
CANCEL_TIMEOUT_S: Final = 2.5
"""For which the API waits for a worker to stop a cancelled run before it answers."""
PAUSE_TIMEOUT_S: Final = 60.0
"""For a run's next step, evaluation and resume state, after the worker's request to pause."""

# A process is stopped
PROCESS_EXIT_S: Final = 5.0
"""From SIGTERM to the end of a process, whatever it waits for (``shared.infra.shutdown``)."""
PROCESS_STOP_S: Final = 5.5
"""For which ``evenkeel up`` waits for the API, the worker and the sweeper; then they get SIGKILL.
"""
BROKER_STOP_S: Final = 2.0
"""For which it then waits for its Redis, which the others use to the end."""
OUTPUT_DRAIN_S: Final = 1.0
"""For the last lines of a process that has ended; a grandchild may hold the pipe."""
REQUESTS_STOP_S: Final = 3.0
"""For the API's requests in progress: a half-sent one must not keep the process alive."""
STOP_LIMIT_S: Final = 10.0
"""For everything of ``evenkeel up`` to end, whatever it does."""

# A process is taken to be alive
ALIVE_INTERVAL_S: Final = 10.0
"""Between a trainer's signs of life; shorter than the default ``EVENKEEL_STALL_SECONDS``."""
REGISTRATION_INTERVAL_S: Final = 10.0
"""Between the renewals of a worker's registration."""
WORKER_TIMEOUT_S: Final = 60.0
"""After which a worker that has not renewed its registration counts as gone."""

# A webhook is sent
WEBHOOK_TIMEOUT_S: Final = 10.0
"""Of each network operation of an attempt: resolving the name, connecting, sending, waiting."""
WEBHOOK_DEADLINE_S: Final = 20.0
"""Of the whole attempt after the name is resolved, however the receiver drips its response."""
WEBHOOK_LEASE_S: Final = 60.0
"""For which a sender has claimed a delivery."""

# Files are uploaded
UPLOAD_LIFETIME_S: Final = 3600
"""After which an upload that was not completed expires."""
GARBAGE_GRACE_S: Final = 24 * 3600
"""Age from which a blob without a row is deleted; a blob is stored before its row."""

OWNED_GARBAGE_GRACE_S: Final = 3600
"""The same for blobs of runs, whose rows are older than their blobs; longer than a sweep."""

# SQLite is written to
SQLITE_WAIT_S: Final = 60.0
"""For which a transaction waits for other writers, who take turns; longer than any of them takes,
such as the deletion of a job with millions of points.
"""

# Texts are classified
CLASSIFICATION_WAIT_S: Final = 10.0
"""For which a few texts wait for a thread, and again, once their model is loaded, for their first
forward pass."""
LONG_CLASSIFICATION_WAIT_S: Final = 50.0
"""For which a file or a long list waits for a thread; with the limit below, within the client's
timeout."""
CLASSIFICATION_LIMIT_S: Final = 540.0
"""Estimated duration above which a batch is refused."""
CLIENT_TIMEOUT_S: Final = 600.0
"""For which the command line and the official client wait for a batch."""
