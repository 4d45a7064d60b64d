"""The wishes that a worker would hand its trainer for a stored job, for benchmarks that train
without one.
"""

from pathlib import Path
from typing import Any

from shared.db.tables import Job
from shared.domain.stored import dump_stored
from shared.encoders.catalogue import Catalogue


def build_run_spec(
    job: Job, seed: int, data: Path, output: Path, **recipe_changes: Any
) -> dict[str, Any]:
    """A ``RunSpec`` as JSON for one seed of a job without validation and test files; ``recipe``
    changes the job's own.
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


def build_data_spec(job: Job, run_id: str, data: Path) -> dict[str, Any]:
    """A ``DataSpec`` as JSON: what the job's baselines are scored from."""
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
