"""Present a job's hyperparameters as OpenAI's hosted API does."""

from api.jobs.schemas import StoredJson
from shared.db.tables import Job
from shared.domain.job_request import HostedValue


def build_hyperparameters(job: Job) -> StoredJson:
    """Return the hyperparameters of the resolved recipe; as requested while pilots search it.

    The hosted API's ``n_epochs`` is a whole number, so the epochs are rounded up.
    """
    recipe = job.resolved_recipe
    if recipe is None:
        return {
            name: _get_requested_value(job, name)
            for name in ("n_epochs", "batch_size", "learning_rate_multiplier")
        }
    batch_size, steps = recipe.train_batch_size, recipe.max_steps
    per_epoch = -(-job.dataset.rows.train // batch_size)
    multiplier = _get_requested_value(job, "learning_rate_multiplier")
    return {
        "n_epochs": max(1, -(-steps // per_epoch)),
        "batch_size": batch_size,
        "learning_rate_multiplier": 1.0 if multiplier == "auto" else float(multiplier),
    }


def _get_requested_value(job: Job, name: str) -> HostedValue:
    method, plain = job.request.method, job.request.hyperparameters
    places = (None if method is None else method.supervised.hyperparameters, plain)
    values: list[HostedValue] = [getattr(place, name) for place in places if place is not None]
    return next((value for value in values if value != "auto"), "auto")
