"""What to do before a stack starts that is known to be alone on its database."""

from shared.db.jobs import Jobs
from shared.db.runs import Runs
from shared.db.session import Database


def release_all_leases(url: str) -> int:
    """Give back what a killed stack was holding, without waiting for leases to run out; returns how many runs."""
    database = Database(url)
    try:
        with database.write() as session:
            Jobs(session).release_leases()
            return len(Runs(session).take_back_expired(all_leases=True))
    finally:
        database.dispose()
