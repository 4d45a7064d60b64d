"""``python -m worker``: the Celery worker.

The sweeper is a separate process; ``evenkeel worker`` starts both.
"""

import os
import sys
import warnings

from celery.exceptions import SecurityWarning

from shared.encoders.model_dirs import find_model_dirs_problem
from shared.infra import log
from shared.infra.private_files import keep_files_private
from shared.infra.settings import read_settings_or_exit
from shared.infra.variable_names import warn_misspelled_variables
from worker import tasks
from worker.app import make_worker


def main() -> None:
    keep_files_private()
    settings = read_settings_or_exit()
    log.configure_logging(settings.log_level)
    warn_misspelled_variables(os.environ)
    problem = find_model_dirs_problem(settings.model_folders)
    if problem is not None:
        sys.stderr.write(f"{problem}\n")
        sys.exit(2)
    app = make_worker(settings)
    tasks.register_tasks(app)
    # Celery warns a worker that runs as root, because pickled messages can run any code; this
    # worker accepts JSON only
    warnings.filterwarnings("ignore", category=SecurityWarning)
    # gossip, mingle and Celery's heartbeat talk to other workers over the broker; nothing here
    # uses them
    quiet_options = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(["--quiet", "worker", *quiet_options, "--loglevel", settings.log_level])


if __name__ == "__main__":
    main()
