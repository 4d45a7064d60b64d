"""What a contender has reached on one data set, as a JSON file in the benchmark's home."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from benchmarks.data_sets.rows import PreparedData

RESULTS_SUBFOLDER = "results"


class Cell(NamedTuple):
    """A data set at one size, and the encoder: contenders within a cell are compared."""

    model: str
    data_set: str
    rows: int


class StoredValue(BaseModel):
    """A part of a record, immutable."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class SeedScore(StoredValue):
    """One repetition with a seed of its own."""

    seed: int
    score: float | None
    """Score on the test rows; None where the metric is undefined."""
    validation_score: float | None = None
    degenerate: bool | None = None
    """Whether it learned nothing; None for outside programs, which have no validation rows."""
    seconds: float | None = None
    """Of an outside program; the runs of a job share the machine."""
    steps: int = 0


class PublishedModel(StoredValue):
    """The one model that a job publishes."""

    kind: str
    score: float | None
    """Score on the test rows."""


class Record(StoredValue):
    """The result of a contender in a cell."""

    contender: str
    model: str
    data_set: str
    rows: int
    metric: str
    test_rows: int
    planned_seeds: int
    seeds: list[SeedScore] = Field(default_factory=list)
    """In the order of the seeds; fewer than planned while the measurement is unfinished."""
    seconds: float | None = None
    """Wall time for all seeds and for whatever chose the settings."""
    main_steps: int = 0
    """Optimizer steps of the seeds."""
    search_steps: int = 0
    """Optimizer steps that chose the settings: pilots, or the rest of a grid."""
    published: PublishedModel | None = None
    chosen: dict[str, JsonValue] = Field(default_factory=dict)
    """Settings that differ between the contenders, as used for the seeds."""
    grid: dict[str, JsonValue] | None = None
    """The recipe that the grid chose; None for other contenders."""
    baselines: dict[str, float | None] = Field(default_factory=dict)
    """Scores without fine-tuning that the job's report has, on the test rows."""
    note: str | None = None
    skipped: str | None = None
    """Why there is no result, where a contender cannot take part."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of what is installed for this contender alone."""
    machine: dict[str, str] = Field(default_factory=dict)

    @property
    def cell(self) -> Cell:
        return Cell(self.model, self.data_set, self.rows)

    @property
    def scores(self) -> list[float]:
        """Defined scores of the seeds."""
        return [seed.score for seed in self.seeds if seed.score is not None]

    @property
    def is_complete(self) -> bool:
        return self.skipped is not None or len(self.seeds) >= self.planned_seeds


class RecordStore:
    """The records in a home, one file for each contender of a cell."""

    def __init__(self, home: Path) -> None:
        self._folder = home / RESULTS_SUBFOLDER

    def get(self, model: str, data: PreparedData, contender: str) -> Record | None:
        """Return the record; None if nothing is measured yet."""
        path = self._build_path(model, data.key, contender)
        if not path.is_file():
            return None
        return Record.model_validate_json(path.read_text(encoding="utf-8"))

    def put(self, record: Record) -> None:
        """Write the record."""
        key = f"{record.data_set}-{record.rows}"
        write_value(self._build_path(record.model, key, record.contender), record)

    def delete(self, model: str, data: PreparedData, contender: str) -> None:
        """Delete the record, if there is one."""
        self._build_path(model, data.key, contender).unlink(missing_ok=True)

    def iterate_all(self) -> Iterator[Record]:
        """Iterate over all records, sorted by their path."""
        for path in sorted(self._folder.glob("*/*/*.json")):
            yield Record.model_validate_json(path.read_text(encoding="utf-8"))

    def _build_path(self, model: str, key: str, contender: str) -> Path:
        return self._folder / model / key / f"{contender}.json"


def write_value(path: Path, value: StoredValue) -> None:
    """Write a JSON file, so that an interruption leaves the earlier or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text(value.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
