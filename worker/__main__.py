"""``python -m worker``: the Celery worker. The sweeper beside it is a process of its own (``evenkeel worker`` starts both)."""

from shared import log
from shared.settings import Settings
from worker import tasks
from worker.app import make_worker


def main() -> None:
    settings = Settings()
    log.configure(settings.log_level)
    app = make_worker(settings)
    tasks.register(app)
    # gossip, mingle and the heartbeat talk to other workers over the broker; nothing here needs that
    app.worker_main(
        ["worker", "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", settings.log_level]
    )


if __name__ == "__main__":
    main()
