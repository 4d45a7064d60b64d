"""What a job's row tells about its data; computed in a reading process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.jobs.planning.data_warnings import list_data_warnings
from api.jobs.planning.dataset_facts import (
    FileOrigins,
    build_dataset_facts,
    resolve_metric,
    score_majority_baselines,
)
from api.jobs.planning.job_data import read_job_data
from api.jobs.planning.text_lengths import EncoderInput
from api.jobs.request_schemas import JobRequest
from api.reading.tables import TableSource
from shared.datasets import InputFile
from shared.domain.job_facts import BaselineScores, DatasetFacts, JobWarning
from shared.domain.task import Task


@dataclass(frozen=True)
class DataSummary:
    """The resolved task, and what the job's columns say about the rows."""

    task: Task
    metric: str
    facts: DatasetFacts
    baselines: BaselineScores
    warnings: Sequence[JobWarning]

    @property
    def train_row_count(self) -> int:
        return self.facts.rows.train


def summarize_job_data(
    request: JobRequest,
    sources: Mapping[InputFile, TableSource],
    origins: FileOrigins,
    encoder: EncoderInput,
) -> DataSummary:
    """Read and split the job's files, and summarize them.

    Raises InvalidValue for data, splits and settings that do not fit each other.
    """
    data = read_job_data(request, sources, encoder)
    metric = resolve_metric(request, data)
    return DataSummary(
        task=data.task,
        metric=metric,
        facts=build_dataset_facts(data, origins, encoder.max_positions),
        baselines=score_majority_baselines(data, metric),
        warnings=list_data_warnings(data, request, metric, encoder),
    )
