"""Repeated jobs and their predictions, as a JSON file in the home, and how much they differ."""

import statistics
from collections.abc import Iterator, Sequence
from itertools import chain, combinations
from pathlib import Path

from pydantic import Field

from benchmarks.contenders.records import StoredValue, write_value
from benchmarks.data_sets.rows import PreparedData

SPREAD_SUBFOLDER = "spread"


class RepeatedJob(StoredValue):
    """One repetition of the default job."""

    first_seed: int
    kind: str
    """What it has published: ``best_run``, ``ensemble``, …"""
    score: float
    """Test score of the published model."""
    run_scores: list[float]
    """Test scores of its runs."""
    predictions: list[str]
    """The published model's answers on the test rows; numbers in a regression."""
    run_predictions: list[list[str]]
    """The same of each run."""


class SpreadRecord(StoredValue):
    """All repetitions of the default job on one data set."""

    model: str
    data_set: str
    rows: int
    metric: str
    seeds: int
    """Runs per job."""
    is_regression: bool = False
    jobs: list[RepeatedJob] = Field(default_factory=list)
    machine: dict[str, str] = Field(default_factory=dict)


class SpreadSummary(StoredValue):
    """How much whole jobs differ, and how much single runs do."""

    model: str
    data_set: str
    rows: int
    metric: str
    seeds: int
    jobs: int
    job_mean: float
    """Mean test score of the published models."""
    job_std: float | None
    """Sample standard deviation of the published models' test scores; None below two jobs."""
    run_mean: float | None
    run_std: float | None
    """The same of all runs of all jobs."""
    job_disagreement: float | None
    """Share of the test rows on which two published models disagree, the mean over all pairs;
    None for a regression.
    """
    run_disagreement: float | None
    """The same of two runs, of one job or of two."""
    machine: dict[str, str] = Field(default_factory=dict)


class SpreadStore:
    """The spread records in a home, one file per data set and size."""

    def __init__(self, home: Path) -> None:
        self._folder = home / SPREAD_SUBFOLDER

    def get(self, model: str, data: PreparedData) -> SpreadRecord | None:
        """Return the record; None if nothing is measured yet."""
        path = self._folder / model / f"{data.key}.json"
        if not path.is_file():
            return None
        return SpreadRecord.model_validate_json(path.read_text(encoding="utf-8"))

    def put(self, record: SpreadRecord) -> None:
        """Write the record."""
        name = f"{record.data_set}-{record.rows}.json"
        write_value(self._folder / record.model / name, record)

    def iterate_all(self) -> Iterator[SpreadRecord]:
        """Iterate over all records, sorted by their path."""
        for path in sorted(self._folder.glob("*/*.json")):
            yield SpreadRecord.model_validate_json(path.read_text(encoding="utf-8"))


def summarize_spread(record: SpreadRecord) -> SpreadSummary:
    """Compute the spread of the jobs. Raises StatisticsError if there are none."""
    job_scores = [job.score for job in record.jobs]
    run_scores = list(chain.from_iterable(job.run_scores for job in record.jobs))
    has_labels = not record.is_regression
    runs = [predicted for job in record.jobs for predicted in job.run_predictions]
    return SpreadSummary(
        **record.model_dump(include={"model", "data_set", "rows", "metric", "seeds", "machine"}),
        jobs=len(job_scores),
        job_mean=statistics.fmean(job_scores),
        job_std=_compute_std(job_scores),
        run_mean=statistics.fmean(run_scores) if run_scores else None,
        run_std=_compute_std(run_scores),
        job_disagreement=compute_disagreement([job.predictions for job in record.jobs])
        if has_labels
        else None,
        run_disagreement=compute_disagreement(runs) if has_labels else None,
    )


def compute_disagreement(predictions: Sequence[Sequence[str]]) -> float | None:
    """Compute the share of the rows on which two differ, the mean over all pairs; None below two.

    Raises ValueError if they are not of the same rows.
    """
    shares = [
        sum(x != y for x, y in zip(a, b, strict=True)) / len(a)
        for a, b in combinations(predictions, 2)
    ]
    return statistics.fmean(shares) if shares else None


def _compute_std(scores: Sequence[float]) -> float | None:
    return statistics.stdev(scores) if len(scores) > 1 else None
