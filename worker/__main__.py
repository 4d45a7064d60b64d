"""``python -m worker``: the Celery worker. The sweeper beside it is a process of its own
(``evenkeel worker`` starts both).
"""

import warnings

from celery.exceptions import SecurityWarning

from shared.infra import log
from shared.infra.settings import Settings
from worker import tasks
from worker.app import make_worker


def main() -> None:
    settings = Settings()
    log.configure(settings.log_level)
    app = make_worker(settings)
    tasks.register_tasks(app)
    # a worker as root is told off because pickled messages could run anything; only JSON is
    # accepted here
    warnings.filterwarnings("ignore", category=SecurityWarning)
    # gossip, mingle and the heartbeat talk to other workers over the broker; nothing here needs
    # that
    silent = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(["--quiet", "worker", *silent, "--loglevel", settings.log_level])


if __name__ == "__main__":
    main()
