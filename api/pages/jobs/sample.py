"""The sample data set and a small job on it, made with one click."""

import tempfile
from pathlib import Path
from typing import Final

from api.dependencies import AppServices
from api.files import service as files
from api.jobs import creation
from api.jobs.request_identity import RequestIdentity
from api.jobs.request_schemas import JobRequest
from shared.datasets.sample_dataset import write_dataset
from shared.domain.errors import ServiceUnavailable

FILENAME: Final = "sample-docstrings.csv"
ROWS: Final = 240
SETTINGS: Final = {
    "suffix": "sample",
    "recipe": {"preset": "debiased"},
    "runs": {"num_seeds": 5},
    "split": {"validation_fraction": 0.2, "test_fraction": 0.3},
}
"""No pilots and few steps: the result is there in about a minute on two cores."""


async def create_sample_job(services: AppServices, identity: RequestIdentity) -> str:
    """Store the data set and create the job; return the job's ID.

    A form that is sent twice has the same identity, and creates one job.
    """
    file_id = await services.heavy.uploads.run(services.owner_id, _store_dataset, services)
    request = JobRequest.model_validate({"training_file": file_id, **SETTINGS})
    digest = f"sample {identity.key}"
    job = await services.heavy.jobs.run(
        services.owner_id, creation.create_job, services, request, identity, digest
    )
    return job.id


def _store_dataset(services: AppServices) -> str:
    with tempfile.TemporaryDirectory(prefix="evenkeel-sample-") as folder:
        path = Path(folder) / FILENAME
        try:
            write_dataset(path, ROWS)
        except ValueError as error:
            raise ServiceUnavailable(
                f"The sample data set cannot be made here: {error} Upload a file of your own."
            ) from None
        with path.open("rb") as source:
            return files.create_file(services, source, files.FileDetails(FILENAME, "fine-tune")).id
