"""All checks, by name, in the order in which they run."""

from collections.abc import Callable

from tests.client.driver import asynchronous, errors, files, jobs, moves, resending, uploads
from tests.client.driver.service import Service

CHECKS: dict[str, Callable[[Service], None]] = {
    check.__name__: check
    for part in (files, uploads, errors, jobs, moves, resending, asynchronous)
    for check in part.CHECKS
}
