"""All checks by name, in the order in which they run."""

from collections.abc import Callable

from tests.client.driver import actions, asynchronous, errors, files, jobs, resending, uploads
from tests.client.driver.service import Service

CHECKS: dict[str, Callable[[Service], None]] = {
    check.__name__: check
    for module in (files, uploads, errors, jobs, actions, resending, asynchronous)
    for check in module.CHECKS
}
