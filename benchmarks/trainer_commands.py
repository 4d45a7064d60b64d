"""Trainer commands for the runs of a stored job, for benchmarks that train without a worker."""

from pathlib import Path

from shared.db.tables import Job
from shared.domain.stored import dump_stored
from shared.encoders.catalogue import Catalogue

SpecValues = dict[str, object]
"""A ``RunSpec`` or a ``DataSpec`` as JSON."""


def build_run_spec(
    job: Job, seed: int, data: Path, output: Path, **recipe_changes: object
) -> SpecValues:
    """Build the ``RunSpec`` of one seed of a job that has only a training file.

    ``recipe_changes`` replace values of the job's recipe.
    """
    output.mkdir(parents=True)
    recipe = {} if job.resolved_recipe is None else dump_stored(job.resolved_recipe)
    own = {
        "recipe": recipe | recipe_changes,
        "init_seed": seed,
        "data_seed": seed,
        "output": str(output),
    }
    return build_data_spec(job, f"ftrun-{seed}", data) | own


def build_data_spec(job: Job, run_id: str, data: Path) -> SpecValues:
    """Build the ``DataSpec`` from which the job's baselines are scored."""
    return {
        "run_id": run_id,
        "base_model": str(Catalogue().get_folder(job.model)),
        "task": job.task.model_dump(mode="json"),
        "metric": job.metric,
        "training_file": {"path": str(data), "filename": data.name},
        "validation_file": None,
        "split": job.split.model_dump(mode="json"),
        "threads": job.threads,
        "device": "cpu",
    }
