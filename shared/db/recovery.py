"""Recovery when a stack starts and is known to be alone on its database."""

from shared.db.jobs import Jobs
from shared.db.runs import Runs
from shared.db.session import Database


def release_all_leases(url: str) -> int:
    """Release what a killed stack had claimed without waiting for leases to expire; return the
    number of runs.
    """
    database = Database(url)
    try:
        with database.write() as session:
            Jobs(session).release_leases()
            return len(Runs(session).release_expired_leases(all_leases=True))
    finally:
        database.dispose()
